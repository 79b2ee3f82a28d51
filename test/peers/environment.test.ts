import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemCallError } from '../../src/linux/errors.js';
import { watchdogEnabled } from '../../src/systemd/watchdog.js';
import { askLibsystemd, libsystemd } from './peers.js';

const child = fileURLToPath(new URL('../systemd/listen-fds-child.mjs', import.meta.url));

type Environment = Readonly<Record<string, string>>;

/** Answers as numbers and names, the errors as negative errno. */
function listenFds(environments: readonly Environment[]): unknown[] {
  const run = spawnSync(process.execPath, [child, JSON.stringify(environments)], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  const answers: (readonly { readonly name: string }[] | { readonly code: string })[] = JSON.parse(
    run.stdout,
  );
  return answers.map((answer) => {
    if ('code' in answer) return answer.code === 'EBADF' ? -9 : -22;
    return answer.length === 0 ? 0 : answer.map(({ name }) => name);
  });
}

function watchdog(environment: Environment): unknown {
  const { WATCHDOG_USEC, WATCHDOG_PID } = environment;
  delete process.env['WATCHDOG_USEC'];
  delete process.env['WATCHDOG_PID'];
  if (WATCHDOG_USEC !== undefined) process.env['WATCHDOG_USEC'] = WATCHDOG_USEC;
  if (WATCHDOG_PID !== undefined) {
    process.env['WATCHDOG_PID'] = WATCHDOG_PID === 'self' ? String(process.pid) : WATCHDOG_PID;
  }
  try {
    const setting = watchdogEnabled();
    return setting.enabled ? String(setting.microseconds) : 0;
  } catch (error) {
    if (error instanceof SystemCallError) return -error.errno;
    throw error;
  }
}

afterEach(() => {
  delete process.env['WATCHDOG_USEC'];
  delete process.env['WATCHDOG_PID'];
});

/** Every combination of one value, or none, for each name. */
function combinations(values: Readonly<Record<string, readonly string[]>>): Environment[] {
  let all: Environment[] = [{}];
  for (const [name, choices] of Object.entries(values)) {
    all = all.flatMap((one) => [one, ...choices.map((choice) => ({ ...one, [name]: choice }))]);
  }
  return all;
}

describe.skipIf(libsystemd.missing !== null)(
  `answers from the environment as libsystemd does (${libsystemd.missing ?? 'runs'})`,
  () => {
    it('sd_watchdog_enabled', () => {
      const environments = combinations({
        WATCHDOG_USEC: ['', '0', '1', '30000000', '-1', '1s', '18446744073709551614', '18446744073709551615'],
        WATCHDOG_PID: ['self', '1', '0', '', '-1', 'x'],
      });
      const expected = askLibsystemd('watchdog', environments).map(asError);
      const actual = environments.map(watchdog).map(asError);
      expect(environments.map((environment, i) => ({ environment, answer: actual[i] }))).toEqual(
        environments.map((environment, i) => ({ environment, answer: expected[i] })),
      );
    });

    it('sd_listen_fds_with_names', () => {
      const environments = combinations({
        LISTEN_PID: ['self', '1', '0', 'x'],
        LISTEN_FDS: ['0', '1', '2', '2000', 'x', '-1'],
        LISTEN_FDNAMES: ['a', 'a:b', ':'],
      });
      const expected = askLibsystemd('listen-fds', environments).map(asError);
      const actual = listenFds(environments).map(asError);
      expect(environments.map((environment, i) => ({ environment, answer: actual[i] }))).toEqual(
        environments.map((environment, i) => ({ environment, answer: expected[i] })),
      );
    });
  },
);

/** An errno for a malformed value differs between versions (EINVAL, ERANGE, ESRCH); that there is one doesn't. */
function asError(answer: unknown): unknown {
  return typeof answer === 'number' && answer < 0 ? 'error' : answer;
}
