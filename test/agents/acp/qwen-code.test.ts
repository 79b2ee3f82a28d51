import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AcpAgent } from '../../../src/agents/acp/acp-agent.js';
import type { AgentEvent } from '../../../src/agents/agent.js';
import { agentSessionRecord } from '../../support/agent-request.js';
import { isAlive } from '../../support/is-alive.js';
import { MockModel } from '../../support/mock-model.js';
import { Place, turn } from './fixture.js';

/** Qwen Code (https://github.com/QwenLM/qwen-code), a program that nobody here wrote, with a model of our own. */

const project = fileURLToPath(new URL('../../../', import.meta.url));
const installed = join(project, 'node_modules/.cache/qwen-code');
const program = join(installed, 'node_modules/@qwen-code/qwen-code/cli.js');

let model: MockModel | undefined;
beforeAll(async () => {
  const wanted = readFileSync(join(project, 'test/agents/acp/qwen-code/package.json'), 'utf8');
  const before = join(installed, 'package.json');
  if (!existsSync(program) || readFileSync(before, 'utf8') !== wanted) {
    mkdirSync(installed, { recursive: true });
    writeFileSync(before, wanted);
    // It brings all that it needs but for optional packages. A lock would need each of those from the registry.
    const words = ['--no-package-lock', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
    execFileSync('npm', ['install', ...words, '--silent'], {
      cwd: installed,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  }
  model = await MockModel.listen();
}, 120_000);
afterAll(() => model?.close());

function qwen(place: Place, options: Partial<ConstructorParameters<typeof AcpAgent>[0]> = {}): AcpAgent {
  const settings = join(place.directory, 'home/.qwen');
  mkdirSync(settings, { recursive: true });
  writeFileSync(
    join(settings, 'settings.json'),
    JSON.stringify({
      security: { auth: { selectedType: 'openai' } },
      privacy: { usageStatisticsEnabled: false },
      general: { disableAutoUpdate: true, enableAutoUpdate: false },
      telemetry: { enabled: false },
    }),
  );
  return place.agent(
    {},
    {
      command: [process.execPath, program, '--acp'],
      environment: {
        PATH: process.env['PATH'],
        OPENAI_API_KEY: 'none',
        OPENAI_BASE_URL: model?.baseUrl,
        OPENAI_MODEL: 'mock',
      },
      ...options,
    },
  );
}

const textOf = (events: readonly AgentEvent[]) =>
  events.flatMap((event) => (event.type === 'delta' ? event.text : [])).join('');

describe('Qwen Code', { timeout: 180_000 }, () => {
  test('replies in pieces, is denied a tool, is killed, and knows the session when it is back', async () => {
    const place = new Place();
    const agent = qwen(place);
    const agentSession = agentSessionRecord();
    const first = await turn(agent, 'say one two three', { agentSession });
    expect(first.error).toBeNull();
    expect(first.reply?.text).toBe('one two three');
    expect(textOf(first.events)).toBe('one two three');

    const denied = await turn(agent, 'run touch denied.txt', { agentSession });
    expect(denied.reply?.metadata).toMatchObject({ acp: { denied: [{ kind: 'execute' }] } });
    expect(existsSync(join(place.directory, 'sessions/alice/denied.txt'))).toBe(false);

    const running = turn(agent, 'please go on slowly', { agentSession });
    while (place.processes.size === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const [{ pid } = { pid: 0 }] = place.processes;
    process.kill(pid, 'SIGKILL');
    expect((await running).error?.reason).toBe('killed');
    expect(isAlive(pid)).toBe(false);

    const again = await turn(agent, 'say back', { agentSession, attempt: 2 });
    expect(again.reply?.text).toBe('back');
    expect(model?.conversations.at(-1)).toContain('one two three');
  });

  test('runs a tool that is allowed, and nothing of it is left after a cancel', async () => {
    const place = new Place();
    const agent = qwen(place, { allow: ['execute'] });
    // The reply is less sure: what the tool wrote is missing at times.
    expect((await turn(agent, 'run touch allowed.txt')).reply?.text).toContain('touch allowed.txt');
    expect(existsSync(join(place.directory, 'sessions/alice/allowed.txt'))).toBe(true);

    const cancel = new AbortController();
    const file = join(place.directory, 'sessions/alice/pid');
    const running = turn(agent, 'run setsid sh -c "echo \\$\\$ >pid; exec sleep 1000"', {}, cancel.signal);
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const tool = Number(readFileSync(file, 'utf8'));
    const [{ pid } = { pid: 0 }] = place.processes;
    cancel.abort();
    expect((await running).error?.reason).toBe('cancelled');
    expect([tool, pid].map(isAlive)).toEqual([false, false]);
  });
});
