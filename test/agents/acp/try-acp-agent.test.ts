import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type AcpTrialSettings, tryAcpAgent } from '../../../src/agents/acp/try-acp-agent.js';
import { isAlive } from '../../support/is-alive.js';
import { type Fault, Place, program } from './fixture.js';

function tried(
  place: Place,
  fault: Fault,
  settings: Partial<AcpTrialSettings> = {},
  { environment = process.env, signal = AbortSignal.timeout(10_000) } = {},
) {
  // The agents' home is there; the agent's journal is in it.
  mkdirSync(join(place.directory, 'home'), { recursive: true });
  const command = [process.execPath, program, JSON.stringify(fault)];
  return tryAcpAgent(
    { command, env: [], connect: null, cwd: null, mode: null, model: null, killDelayMs: 100, ...settings },
    { directory: place.directory, environment, signal },
  );
}

const runningOf = (place: Place) => place.asked().flatMap(({ pid }) => (isAlive(pid) ? pid : []));

test('an agent that can be used says who it is; it gets no prompt, and nothing is left of it', async () => {
  const place = new Place();
  const finding = await tried(place, { forgets: true }, { mode: 'code', model: 'large' });
  expect(finding).toEqual({
    verdict: 'ok',
    text: 'It speaks version 1 of the Agent Client Protocol, as faulty 1; it opens a session, and offers the models small, large',
    mend: null,
  });
  expect(place.methods(/./)).toEqual([
    'initialize',
    'session/new',
    'session/set_mode',
    'session/set_config_option',
    'session/close',
    'session/delete',
  ]);
  expect(runningOf(place)).toEqual([]);
  const params: Partial<Record<string, string>> = place.asked()[1]?.params ?? {};
  expect(existsSync(params['cwd'] ?? '/')).toBe(false);
  expect(existsSync(join(place.directory, 'sessions'))).toBe(false);
});

test('an agent that wants a login is told with its methods and the command', async () => {
  const place = new Place();
  const finding = await tried(place, { auth: true });
  expect(finding).toMatchObject({ verdict: 'problem', mend: expect.stringContaining('Log in once') });
  expect(finding.text).toMatch(/^The agent wants a login .*"A key of the model"/);
  expect(finding.command).toEqual([
    ...['env', `HOME=${place.directory}/home`, process.execPath, program, '{"auth":true}'],
    ...['login', '--by key'],
  ]);
});

test.each<[what: string, fault: Fault, settings: Partial<AcpTrialSettings>, text: RegExp]>([
  ['no program', {}, { command: ['/nonexistent/agent'] }, /could not be started in .*: ENOENT/],
  [
    'an end at once',
    {},
    { command: ['sh', '-c', 'echo oh >&2; exit 3'] },
    /status 3; standard error ends: oh/,
  ],
  [
    'a refusal',
    {},
    {
      command: [
        process.execPath,
        '-e',
        `process.stdin.once('data', (line) => {
          console.log(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(line).id, error: { code: -32000, message: 'no' } }));
        });`,
      ],
    },
    /^The agent refused to begin: error -32000: no/,
  ],
  ['another version', { version: 99 }, {}, /speaks version 99/],
  ['another model', {}, { model: 'huge' }, /no model "huge" \(agent.model\): it offers small, large/],
  ['an end in the handshake', { dieAt: 'session/new' }, {}, /killed by SIGKILL/],
])('it finds %s', async (_, fault, settings, text) => {
  const finding = await tried(new Place(), fault, settings);
  expect(finding.text).toMatch(text);
  expect(finding.verdict).toBe('problem');
});

test('an agent that never answers is ended', async () => {
  const place = new Place();
  const stop = new AbortController();
  const trial = tried(place, { hangAt: 'initialize', stubborn: true }, {}, { signal: stop.signal } as never);
  await place.isAsked('initialize');
  stop.abort();
  expect((await trial).text).toMatch(/^The agent does not answer in time/);
  expect(runningOf(place)).toEqual([]);
});

test('no session is tried of an agent whose credentials only the unit has', async () => {
  const place = new Place();
  const finding = await tried(place, { auth: true }, { env: ['CREDENTIALS_DIRECTORY'] }, { environment: {} });
  expect(finding).toMatchObject({ verdict: 'unknown', text: expect.stringContaining('only the unit has') });
  expect(place.methods(/./)).toEqual(['initialize']);
});

test('a home that is not there yet is not made', async () => {
  const place = new Place();
  const finding = await tryAcpAgent(
    {
      command: [process.execPath, program, '{}'],
      env: [],
      connect: null,
      cwd: null,
      mode: null,
      model: null,
      killDelayMs: 100,
    },
    {
      directory: join(place.directory, 'agents'),
      environment: process.env,
      signal: AbortSignal.timeout(10_000),
    },
  );
  expect(finding.verdict).toBe('ok');
  expect(existsSync(join(place.directory, 'agents'))).toBe(false);
});
