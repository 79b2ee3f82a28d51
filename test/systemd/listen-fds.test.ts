import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { near } from '../fuzz/near.js';

const child = fileURLToPath(new URL('./listen-fds-child.mjs', import.meta.url));

/** Gets the child's answer with `count` pipes from descriptor 3 on. */
function answerOf(count: number, words: readonly string[], environment: Readonly<Record<string, string>>) {
  const run = spawnSync(process.execPath, [child, ...words], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit', ...new Array<'pipe'>(count).fill('pipe')],
    encoding: 'utf8',
  });
  return JSON.parse(run.stdout);
}

const withDescriptors = (count: number, environment: Readonly<Record<string, string>>) =>
  answerOf(count, [], environment);

/** One child has each of the environments in turn. */
const withEach = (count: number, environments: readonly object[]): readonly unknown[] =>
  answerOf(count, [JSON.stringify(environments)], {});

function passed(...names: string[]) {
  return names.map((name, index) => ({ fd: 3 + index, name, closedOnExec: true }));
}

describe('listenFds', () => {
  it.each<[string, Record<string, string>, unknown]>([
    ['nothing', {}, []],
    ['no count', { LISTEN_PID: 'self' }, []],
    ['another process', { LISTEN_PID: '1', LISTEN_FDS: '2' }, []],
    ['no process', { LISTEN_FDS: '2' }, []],
    ['no names', { LISTEN_PID: 'self', LISTEN_FDS: '2' }, passed('unknown', 'unknown')],
    ['names', { LISTEN_PID: 'self', LISTEN_FDS: '2', LISTEN_FDNAMES: 'http:admin' }, passed('http', 'admin')],
    ['an empty name', { LISTEN_PID: 'self', LISTEN_FDS: '2', LISTEN_FDNAMES: 'http:' }, passed('http', '')],
    [
      'another process that had our PID',
      { LISTEN_PID: 'self', LISTEN_PIDFDID: '1', LISTEN_FDS: '2' },
      hasPidInodes() ? [] : passed('unknown', 'unknown'),
    ],
  ])('with %s in the environment', (_what, environment, expected) => {
    expect(withDescriptors(2, environment)).toEqual(expected);
  });

  it.each<[string, Record<string, string>, string]>([
    ['too few names', { LISTEN_PID: 'self', LISTEN_FDS: '2', LISTEN_FDNAMES: 'http' }, 'EINVAL'],
    ['too many names', { LISTEN_PID: 'self', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b:c' }, 'EINVAL'],
    ['no PID', { LISTEN_PID: '', LISTEN_FDS: '2' }, 'EINVAL'],
    ['PID 0', { LISTEN_PID: '0', LISTEN_FDS: '2' }, 'EINVAL'],
    ['a wrong count', { LISTEN_PID: 'self', LISTEN_FDS: '2x' }, 'EINVAL'],
    ['a count of 0', { LISTEN_PID: 'self', LISTEN_FDS: '0' }, 'EINVAL'],
    ['a count that overflows', { LISTEN_PID: 'self', LISTEN_FDS: '2147483647' }, 'EINVAL'],
    ['descriptors that are not open', { LISTEN_PID: 'self', LISTEN_FDS: '2000' }, 'EBADF'],
  ])('names what is wrong with %s', (_what, environment, code) => {
    expect(withDescriptors(2, environment)).toMatchObject({
      code,
      message: expect.stringContaining('LISTEN_FDS'),
    });
  });

  it('takes what the variables say, or names what is wrong, whatever they hold', () => {
    // C ends a text at its first NUL.
    const text = (...good: readonly string[]) => near(...good).map((written) => written.replaceAll('\0', ''));
    const variable = (arbitrary: fc.Arbitrary<string>) => fc.option(arbitrary, { nil: undefined, freq: 9 });
    const environment = fc.record({
      LISTEN_PID: variable(fc.oneof({ weight: 4, arbitrary: fc.constant('self') }, text('1', '2147483648'))),
      LISTEN_FDS: variable(fc.oneof({ weight: 2, arbitrary: fc.constantFrom('1', '2') }, text('2', '2000'))),
      LISTEN_FDNAMES: variable(text('http:admin', 'http')),
    });
    const isNumber = (written: string, largest: number) =>
      /^[0-9]+$/.test(written) && BigInt(written) > 0n && BigInt(written) <= largest;
    const expected = ({
      LISTEN_PID: pid,
      LISTEN_FDS: count,
      LISTEN_FDNAMES: names,
    }: Record<string, string | undefined>) => {
      if (pid !== undefined && pid !== 'self' && !isNumber(pid, 2 ** 31 - 1)) return 'EINVAL';
      if (pid !== 'self' || count === undefined) return [];
      if (!isNumber(count, 2 ** 31 - 4)) return 'EINVAL';
      // Two are passed; what lies behind them is the child's own.
      if (Number(count) > 2) return null;
      const all = names?.split(':') ?? new Array<string>(Number(count)).fill('unknown');
      return all.length === Number(count) ? passed(...all) : 'EINVAL';
    };
    fc.assert(
      fc.property(fc.array(environment, { minLength: 100, maxLength: 100 }), (environments) => {
        for (const [index, answer] of withEach(2, environments).entries()) {
          const environment = environments[index] ?? {};
          const wanted = expected(environment);
          if (Array.isArray(wanted)) expect({ environment, answer }).toEqual({ environment, answer: wanted });
          else if (wanted !== null) {
            expect({ environment, answer }).toMatchObject({ environment, answer: { code: wanted } });
          }
        }
      }),
      // The environment itself tells what failed.
      { numRuns: 3, endOnFailure: true },
    );
  });

  it('takes over what systemd-socket-activate passes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-listen-'));
    const paths = [join(folder, 'one'), join(folder, 'two')];
    // It passes on no more of the environment than it is told to; the sanitizers need theirs.
    const environment = ['LD_PRELOAD', 'ASAN_OPTIONS', 'UBSAN_OPTIONS'].filter((name) => name in process.env);
    const activator = spawn(
      'systemd-socket-activate',
      [
        ...environment.map((name) => `--setenv=${name}`),
        ...paths.map((path) => `--listen=${path}`),
        '--fdname=http:admin',
        process.execPath,
        child,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const output = text(activator.stdout);
    // It says so once it listens.
    await new Promise((resolve) => activator.stderr.once('data', resolve));
    const client = connect(paths[0] ?? '');
    client.on('error', () => {});
    expect(JSON.parse(await output)).toEqual(passed('http', 'admin'));
    client.destroy();
    rmSync(folder, { recursive: true });
  });
});

/** Returns true if the kernel gives each process's pidfd an inode of its own (from 6.9 on). */
function hasPidInodes(): boolean {
  const release = execFileSync('uname', ['-r'], { encoding: 'utf8' }).split('.').map(Number.parseFloat);
  const [major = 0, minor = 0] = release;
  return major > 6 || (major === 6 && minor >= 9);
}
