import { expect, it, vi } from 'vitest';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const shipped = '/usr/lib/sd-gateway/systemd/agent';

/**
 * Does what the text of its turn says, as the user of the agent. It leaves a process in a session of its own in any case,
 * without parents and with no descriptor of the connection.
 */
const program = `#!/bin/sh
read -r turn
(setsid env -i /bin/sleep 98766 </dev/null >/dev/null 2>&1 &)
case $turn in
*'"secrets"'*) reply=$(id -un; cat /var/lib/walled/token /var/lib/walled/gateway.db 2>&1 | head -c 200) ;;
*'"fail"'*) exit 3 ;;
*'"back"'*)
  data=$(printf %s "$turn" | sed 's/.*"data":"\\([^"]*\\)".*/\\1/')
  printf '{"type": "file", "name": "back.txt", "media_type": "text/plain", "data": "%s"}\\n' "$data"
  reply=$(printf %s "$data" | base64 -d) ;;
*'"wait"'*) touch /var/lib/sd-gateway-agent/waits; sleep 1000 ;;
*) reply=hello ;;
esac
printf '{"type": "reply", "text": "%s"}\\n' "$(printf %s "$reply" | tr '\\n"' '| ')"
`;

/** Answers each prompt with the name of its user and the prompt's files, and never ends by itself. */
const acpProgram = `
import { createInterface } from 'node:readline';
import { userInfo } from 'node:os';
const send = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
process.on('SIGTERM', () => undefined);
setInterval(() => undefined, 1e6);
for await (const line of createInterface(process.stdin)) {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') send({ id, result: { protocolVersion: 1, agentCapabilities: {} } });
  else if (method === 'session/new') send({ id, result: { sessionId: params.cwd } });
  else if (method === 'session/prompt') {
    const [, ...files] = params.prompt.map(({ text }) => text);
    const content = { type: 'text', text: [userInfo().username + ' in ' + params.sessionId, ...files].join(': ') };
    send({ method: 'session/update', params: { sessionId: params.sessionId, update: { sessionUpdate: 'agent_message_chunk', content } } });
    send({ id, result: { stopReason: 'end_turn' } });
  } else if (id !== undefined) send({ id, error: { code: -32601, message: 'no' } });
}
`;

async function leftBehind(machine: Machine): Promise<string> {
  return (await machine.run(['pgrep', '-f', '^/bin/sleep 98766'])).stdout;
}

/** Waits until the manager has no instance of the agent's unit. */
async function agentsEnd(machine: Machine): Promise<void> {
  await machine.check([
    'sh',
    '-c',
    'until [ -z "$(systemctl list-units --plain --no-legend "walled-agent*@*.service")" ]; do sleep 0.05; done',
  ]);
}

/** Puts the shipped units in place, for the gateway's user `daemon`. */
async function installAgent(machine: Machine, name: string, words: string): Promise<void> {
  const script = `set -e
    cd /etc/systemd/system
    sed 's|^ListenStream=.*|ListenStream=/run/${name}.sock|; s|^SocketUser=.*|SocketUser=daemon|' ${shipped}/sd-gateway-agent.socket >${name}.socket
    sed 's|^ExecStart=.*|ExecStart=/usr/local/libexec/agent-stdio ${words}|; s|^TimeoutStopSec=.*|TimeoutStopSec=1|' ${shipped}/sd-gateway-agent@.service >${name}@.service
    mkdir -p /usr/local/libexec
    install -m 755 ${shipped}/agent-stdio /usr/local/libexec/`;
  await machine.check(['sh', '-c', script]);
}

describeOnMachine('an agent with a user of its own', (machine) => {
  it('answers, sees no secret, and ends with its connection', async () => {
    await machine().check(['useradd', '--system', '--user-group', 'sd-gateway-agent']);
    await machine().writeFile('/usr/local/bin/walled-agent', program);
    await machine().writeFile('/usr/local/bin/walled-acp.mjs', acpProgram);
    await machine().check(['chmod', '755', '/usr/local/bin/walled-agent', '/usr/local/bin/walled-acp.mjs']);
    await installAgent(machine(), 'walled-agent', 'jsonl /usr/local/bin/walled-agent');
    await installAgent(machine(), 'walled-agent-acp', 'acp /usr/bin/env node /usr/local/bin/walled-acp.mjs');
    const gateway = await GatewayUnit.install(machine(), { name: 'walled', service: ['User=daemon'] });
    await machine().writeFile(
      gateway.configurationFile,
      `[dispatch]
max_attempts = 1
[agent]
type = "command"
connect = "unix:/run/walled-agent.sock"
output = "jsonl"
kill_delay = "3s"
[agents.speaks]
type = "acp"
connect = "unix:/run/walled-agent-acp.sock"
cwd = "/var/lib/sd-gateway-agent"
kill_delay = "3s"
[[route]]
session = "acp"
agent = "speaks"
`,
    );
    await gateway.succeed('start');

    // Nobody listens yet: the agent is held, and the message waits.
    const { body: first } = await gateway.post('a', { text: 'first' });
    await vi.waitFor(
      async () => {
        expect((await gateway.messages()).join('\n')).toContain(
          'the agent at /run/walled-agent.sock (agent.connect) could not be reached: connect ENOENT',
        );
      },
      { timeout: 20_000, interval: 100 },
    );
    await machine().check(['systemctl', 'start', 'walled-agent.socket', 'walled-agent-acp.socket']);
    expect(await gateway.reply(String(first['id']))).toBe('hello');
    await agentsEnd(machine());
    expect(await leftBehind(machine())).toBe('');

    const { body: secrets } = await gateway.post('a', { text: 'secrets' });
    expect(await gateway.reply(String(secrets['id']))).toMatch(
      /^sd-gateway-agent\|cat: \/var\/lib\/walled\/token: Permission denied\|cat: \/var\/lib\/walled\/gateway\.db: Permission denied/,
    );
    // Nor may anybody but the gateway ask it.
    const other = await machine().run([
      'runuser',
      '-u',
      'nobody',
      '--',
      'test',
      '-w',
      '/run/walled-agent.sock',
    ]);
    expect(other.status).toBe(1);

    const { body: fails } = await gateway.post('a', { text: 'fail' });
    const { body: failed } = await gateway.http('GET', `/v1/messages/${fails['id']}?wait=30`);
    expect(JSON.stringify(failed)).toContain('the command failed: the program ended with 3');

    const { body: waits } = await gateway.post('b', { text: 'wait' });
    await machine().check(['sh', '-c', 'until [ -e /var/lib/sd-gateway-agent/waits ]; do sleep 0.05; done']);
    expect(await leftBehind(machine())).not.toBe('');
    expect((await gateway.http('POST', `/v1/messages/${waits['id']}/cancel`)).status).toBeLessThan(300);
    await agentsEnd(machine());
    expect(await leftBehind(machine())).toBe('');

    const { body: spoken } = await gateway.post('acp', { text: 'hello' });
    expect(await gateway.reply(String(spoken['id']))).toBe('sd-gateway-agent in /var/lib/sd-gateway-agent');

    // Files cross the wall, whose users share no directory.
    await machine().check(['sh', '-c', 'umask 077; printf "not for all" >/root/notes.txt']);
    const token = (await machine().check(['cat', `${gateway.stateDirectory}/token`])).trim();
    const sent = (session: string) =>
      machine().check(
        ['sd-gateway', 'send', '--url', `unix:${gateway.socket}`, '--session', session].concat([
          '--file',
          '/root/notes.txt',
          '--json',
          'back',
        ]),
        { environment: { SD_GATEWAY_TOKEN: token } },
      );
    const replyTo = async (session: string) => JSON.parse(await sent(session)).reply;
    const back = { name: 'back.txt', media_type: 'text/plain', size: 11 };
    expect(await replyTo('files')).toMatchObject({ text: 'not for all', attachments: [back] });
    expect((await replyTo('acp')).text).toMatch(/^sd-gateway-agent in .*: File "notes\.txt".*not for all$/s);
    await gateway.succeed('stop');
    await agentsEnd(machine());
  });
});
