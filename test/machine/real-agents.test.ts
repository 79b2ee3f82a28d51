import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { beforeAll, expect, it } from 'vitest';
import { type RealAgent, realAgents } from '../agents/acp/real/agents.js';
import { installAgent } from '../agents/acp/real/install.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const project = fileURLToPath(new URL('../../', import.meta.url));

/** The model's server as one file. */
async function bundledServer(): Promise<string> {
  const input = join(project, 'test/agents/acp/real/model-server.ts');
  const bundle = await rolldown({ input, platform: 'node' });
  const { output } = await bundle.generate({ format: 'es' });
  return output[0].code;
}

/** Agents as they are installed, in the sandbox of the shipped unit. They have a model in the same machine. */
describeOnMachine('real agents in the unit’s sandbox', (machine) => {
  let origin: string;
  let sandbox: readonly string[];

  beforeAll(async () => {
    await machine().writeFile('/opt/model.mjs', await bundledServer());
    const command = ['/usr/bin/env', 'node', '/opt/model.mjs', '/run/model'];
    await machine().check(['systemd-run', '--quiet', '--unit=model', ...command]);
    const wait = 'until test -s /run/model; do sleep 0.1; done; cat /run/model';
    origin = await machine().check(['sh', '-c', wait]);
    const unit = await machine().check(['cat', '/usr/lib/sd-gateway/systemd/sd-gateway.service']);
    const lines = unit.slice(unit.indexOf('UMask='), unit.indexOf('[Install]')).split('\n');
    sandbox = lines.filter((line) => /^[A-Z]/.test(line));
  });

  /** Two agents, of which the second may use a shell, and a session for each. */
  async function install(name: string, real: RealAgent): Promise<GatewayUnit> {
    const words = await installAgent(real);
    // The checkout is there under another name.
    const command = words.map((word) => word.replace(project, '/usr/lib/sd-gateway/'));
    const unit = await GatewayUnit.install(machine(), {
      name: `agent-${name}`,
      service: ['User=daemon', ...sandbox],
      environment: real.environment(origin),
    });
    for (const [path, content] of Object.entries(real.files(origin))) {
      const file = join(unit.stateDirectory, 'agents/home', path);
      await machine().check(['mkdir', '-p', dirname(file)]);
      await machine().writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    }
    await machine().check(['mkdir', '-p', unit.stateDirectory]);
    await machine().check(['chown', '-R', 'daemon:', unit.stateDirectory]);
    const mode = real.mode === undefined ? {} : { mode: real.mode };
    const tables = [
      ['careful', []],
      ['free', ['execute', 'other']],
    ].map(([agent, allow]) => {
      const settings = Object.entries({ type: 'acp', command, allow, ...mode });
      const table = settings.map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join('\n');
      return `[agents.${agent}]\n${table}\n[[route]]\nsession = "${agent}"\nagent = "${agent}"\n`;
    });
    await machine().writeFile(unit.configurationFile, tables.join('\n'));
    await unit.succeed('start');
    return unit;
  }

  it.each(Object.entries(realAgents))('%s', { timeout: 900_000 }, async (name, real) => {
    const unit = await install(name, real);
    const said = async (session: string, text: string) => {
      const id = String((await unit.post(session, { text })).body['id']);
      for (let look = 0; look < 6; look++) {
        const reply = await unit.reply(id);
        if (reply !== null) return reply;
      }
      throw new Error(`No reply to "${text}":\n${(await unit.messages()).join('\n')}`);
    };
    const files = (session: string) =>
      machine().check(['ls', join(unit.stateDirectory, 'agents/sessions', session)]);

    expect(await said('careful', 'say one two three')).toBe('one two three');
    await said('careful', 'run touch denied');
    expect(await files('careful')).toBe('');
    expect(await said('free', 'run id -un')).toContain('daemon');
    await said('free', 'run touch allowed');
    expect(await files('free')).toBe('allowed\n');
    expect(await said('free', 'run touch /srv/outside')).toContain('Read-only file system');
    await unit.succeed('stop');
    expect(await unit.show('ActiveState')).toEqual({ ActiveState: 'inactive' });
    expect((await machine().run(['pgrep', '-f', '/real-agents/'])).status).toBe(1);
  });
});
