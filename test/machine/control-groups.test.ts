import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const delegating = [
  'Delegate=memory pids',
  'ProtectControlGroups=no',
  'OOMPolicy=continue',
  'Restart=always',
];

/**
 * The command of an agent that leaves a process in a session of its own, without parents and without environment. It tells its
 * group, or waits if asked to, or has such a process answer a question and tells the status of that.
 */
function environment(name: string) {
  const script = `read -r turn
    (setsid env -i /bin/sleep 1000.${name.length} </dev/null >/dev/null 2>&1 &)
    case $turn in *'"approve"'*)
      (setsid env -i PATH="$PATH" node /usr/local/bin/approve.mjs "$RUNTIME_DIRECTORY" "$STATE_DIRECTORY" </dev/null >/dev/null 2>&1 &)
      until cat "$STATE_DIRECTORY/status"; do sleep 0.05; done; exit;;
    *'"wait"'*) touch "$STATE_DIRECTORY/waits"; sleep 1000;; esac
    grep ^0:: /proc/self/cgroup`;
  return {
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', script]),
    SD_GATEWAY_AGENT_KILL_DELAY: '200ms',
    SD_GATEWAY_STOP_DRAIN: '200ms',
  };
}

/** Answers a question that nobody asked, and keeps the status of the response. */
const approveProgram = `
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
const [runtime, state] = process.argv.slice(2);
const headers = { authorization: 'Bearer ' + readFileSync(state + '/token', 'utf8').trim(), 'content-type': 'application/json' };
const options = { socketPath: runtime + '/http.sock', path: '/v1/questions/7K2M9QXD', method: 'POST', headers };
request(options, ({ statusCode }) => {
  writeFileSync(state + '/status.new', String(statusCode));
  renameSync(state + '/status.new', state + '/status');
}).end('{"answer":"allow"}');
`;

/** An ACP agent that has the gateway run its prompt as a command line, and answers with its output. */
const acpProgram = `
import { createInterface } from 'node:readline';
const send = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
const waiting = [];
const ask = (method, params) => new Promise((resolve) => send({ id: waiting.push(resolve) - 1, method, params }));
const sessionId = 's';
async function prompt(id, [{ text: command }]) {
  const { terminalId } = await ask('terminal/create', { sessionId, command });
  await ask('terminal/wait_for_exit', { sessionId, terminalId });
  const { output: text } = await ask('terminal/output', { sessionId, terminalId });
  const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } };
  send({ method: 'session/update', params: { sessionId, update } });
  send({ id, result: { stopReason: 'end_turn' } });
}
for await (const line of createInterface(process.stdin)) {
  const { id, method, params, result } = JSON.parse(line);
  if (method === undefined) waiting[id](result);
  else if (method === 'initialize') send({ id, result: { protocolVersion: 1, agentCapabilities: {} } });
  else if (method === 'session/new') send({ id, result: { sessionId } });
  else if (method === 'session/prompt') void prompt(id, params.prompt);
}
`;

/** The processes that turns of a unit have left behind. */
async function leftBehind(machine: Machine, { name }: GatewayUnit): Promise<readonly string[]> {
  const { stdout } = await machine.run(['pgrep', '-f', `^/bin/sleep 1000\\.${name.length}$`]);
  return stdout.split('\n').filter((pid) => pid !== '');
}

/** Has a turn begin that does not end. */
async function turnThatWaits(machine: Machine, gateway: GatewayUnit): Promise<void> {
  await gateway.post('a', { text: 'wait' });
  const script = 'until [ -e "$1" ]; do sleep 0.05; done';
  await machine.check(['sh', '-c', script, 'sh', `/var/lib/${gateway.name}/waits`]);
}

function groupsBelow({ controlGroup }: GatewayUnit): readonly string[] {
  return readdirSync(controlGroup).filter((name) => existsSync(`${controlGroup}/${name}/cgroup.procs`));
}

describeOnMachine('a unit and the processes of its turns', (machine) => {
  it('ends what has neither a parent nor a mark, and lets it approve nothing', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'adopts',
      service: ['User=daemon'],
      environment: environment('adopts'),
    });
    await gateway.succeed('start');
    const { body } = await gateway.post('a', { text: 'hello' });
    expect(await gateway.reply(String(body['id']))).toBe('0::/system.slice/adopts.service');
    expect(await leftBehind(machine(), gateway)).toEqual([]);
    await machine().writeFile('/usr/local/bin/approve.mjs', approveProgram);
    const { body: approving } = await gateway.post('b', { text: 'approve' });
    expect(await gateway.reply(String(approving['id']))).toBe('403');
    await turnThatWaits(machine(), gateway);
    expect(await leftBehind(machine(), gateway)).toHaveLength(1);
    await gateway.succeed('stop');
    expect(await leftBehind(machine(), gateway)).toEqual([]);
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
  });

  it('gives each turn a group where the unit delegates its own, and nothing gets out of it', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'groups',
      service: ['User=daemon', ...delegating],
      environment: environment('groups'),
    });
    await gateway.succeed('start');
    expect(groupsBelow(gateway)).toEqual(['gateway']);
    const { body } = await gateway.post('a', { text: 'hello' });
    expect(await gateway.reply(String(body['id']))).toMatch(
      /^0::\/system\.slice\/groups\.service\/agent-[0-9a-f-]{36}$/,
    );
    expect(await leftBehind(machine(), gateway)).toEqual([]);
    expect(groupsBelow(gateway)).toEqual(['gateway']);
    // Nothing but its group tells that a process is part of the turn, and may approve nothing.
    await machine().writeFile('/usr/local/bin/approve.mjs', approveProgram);
    const { body: approving } = await gateway.post('b', { text: 'approve' });
    expect(await gateway.reply(String(approving['id']))).toBe('403');
    // What systemd itself runs for the unit goes on as before.
    await gateway.succeed('reload');
    await gateway.waitForRecord({
      MESSAGE: 'The configuration was read again.',
      _SYSTEMD_UNIT: 'groups.service',
    });

    await turnThatWaits(machine(), gateway);
    expect(await leftBehind(machine(), gateway)).toHaveLength(1);
    const killed = await gateway.mainPid();
    const group = statSync(gateway.controlGroup).ino;
    await gateway.kill('KILL');
    await gateway.waitFor({ MainPID: (pid) => pid !== '0' && pid !== String(killed), ActiveState: 'active' });
    // systemd has made it anew: in one that limits the groups below it, it could start nothing.
    expect(statSync(gateway.controlGroup).ino).not.toBe(group);
    await gateway.succeed('restart');
    await gateway.succeed('stop');
    expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
    expect(await leftBehind(machine(), gateway)).toEqual([]);
  });

  it('gives each terminal of an ACP agent a group below that of the agent', async () => {
    await machine().writeFile('/usr/local/bin/terminals.mjs', acpProgram);
    const gateway = await GatewayUnit.install(machine(), {
      name: 'terminals',
      service: ['User=daemon', ...delegating],
      environment: {
        SD_GATEWAY_AGENT_TYPE: 'acp',
        SD_GATEWAY_AGENT_COMMAND: '["/usr/bin/env", "node", "/usr/local/bin/terminals.mjs"]',
        SD_GATEWAY_AGENT_TERMINALS: '1',
        SD_GATEWAY_AGENT_KILL_DELAY: '200ms',
      },
    });
    await gateway.succeed('start');
    const sleeper = `/bin/sleep 1000.${gateway.name.length}`;
    // Nothing but its group tells whose it is.
    const text = `(setsid env -i ${sleeper} </dev/null >/dev/null 2>&1 &); grep ^0:: /proc/self/cgroup`;
    const { body } = await gateway.post('a', { text });
    expect(String(await gateway.reply(String(body['id']))).trim()).toMatch(
      /^0::\/system\.slice\/terminals\.service\/agent-[0-9a-f-]{36}\/[0-9a-f-]{36}$/,
    );
    expect(await leftBehind(machine(), gateway)).toEqual([]);
    // The agent lives on, and has no group of a terminal any more.
    const [, agent] = groupsBelow(gateway).toSorted().toReversed();
    expect(agent).toMatch(/^agent-/);
    expect(
      readdirSync(`${gateway.controlGroup}/${agent}`, { withFileTypes: true }).filter((entry) =>
        entry.isDirectory(),
      ),
    ).toEqual([]);
    await gateway.succeed('stop');
  });

  it('has the next start end what a crash has left, where systemd does not', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'left',
      service: [...delegating, 'KillMode=process', 'Restart=no'],
      environment: environment('left'),
    });
    await gateway.succeed('start');
    await turnThatWaits(machine(), gateway);
    const left = await leftBehind(machine(), gateway);
    expect(left).toHaveLength(1);
    await gateway.kill('KILL');
    await gateway.waitFor({ ActiveState: 'failed' });
    expect(await leftBehind(machine(), gateway)).toEqual(left);
    await gateway.succeed('start');
    expect(await leftBehind(machine(), gateway)).not.toContain(left[0]);
    await gateway.succeed('stop');
  });

  describe('memory_max', () => {
    it('is refused by a unit that does not delegate, with the drop-in', async () => {
      const gateway = await GatewayUnit.install(machine(), {
        name: 'sd-gateway-whole',
        environment: { ...environment('whole'), SD_GATEWAY_AGENT_MEMORY_MAX: '64M' },
      });
      expect(await gateway.attempt('start')).not.toBe(0);
      expect(await gateway.result()).toMatchObject({ ExecMainStatus: '78' });
      expect((await gateway.messages()).join('\n')).toMatch(
        /agents\.default\.memory_max can't be held to: .* was not delegated; put "Delegate=memory pids", .* \(systemctl edit\)/,
      );
      const checked = await machine().run(['sd-gateway', 'check-config', '--instance', 'whole']);
      expect(checked).toMatchObject({ status: 78, stdout: '' });
      expect(checked.stderr).toContain('the unit has no Delegate=memory');
      expect(checked.stderr).toContain(
        '[Service]\nDelegate=memory pids\nProtectControlGroups=no\nOOMPolicy=continue\n',
      );
    });

    it.each(['system', 'user'])(
      'ends a turn that takes more, and the gateway of a %s goes on',
      async (scope) => {
        const gateway = await GatewayUnit.install(machine(), {
          name: `limited-${scope}`,
          ...(scope === 'user' && { user: await machine().addUser('grace', 4242) }),
          service: delegating,
          environment: {
            SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', 'head -c 200M /dev/zero | tail']),
            SD_GATEWAY_AGENT_MEMORY_MAX: '64M',
            SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '1',
          },
        });
        const controllers = readFileSync(
          `/proc/${machine().pid}/root/sys/fs/cgroup/cgroup.controllers`,
          'utf8',
        );
        if (!controllers.split(/\s/).includes('memory')) {
          process.stdout.write('No control group of version 2 limits memory here: it is refused.\n');
          expect(await gateway.attempt('start')).not.toBe(0);
          expect((await gateway.messages()).join('\n')).toMatch(
            /limited-\w+\.service has no memory controller/,
          );
          return;
        }
        await gateway.succeed('start');
        const before = await gateway.mainPid();
        const { body } = await gateway.post('a', { text: 'all of it' });
        const { body: message } = await gateway.http('GET', `/v1/messages/${body['id']}?wait=30`);
        expect(JSON.stringify(message)).toContain('used more memory than agent.memory_max (64M)');
        expect(await gateway.mainPid()).toBe(before);
        await gateway.succeed('stop');
      },
    );
  });
});
