import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as library from '../../src/library/index.js';
import { journalDestination, journalLog, pinoFields } from '../../src/library/logging.js';
import { FakeManager, fakeManager } from '../../src/library/testing.js';
import { anything, hostileValues } from './hostile-values.js';

const { ArgumentError } = library;
/** The call as a caller without types has it. */
type Call = (value: never) => unknown;

/** Ends what a call that took the value has begun. */
function close(result: unknown): void {
  if (result instanceof FakeManager) result.close();
  else if (typeof result === 'object' && result !== null && 'close' in result)
    (result as { close(): void }).close();
}

/** The argument that the value was refused for; null if it was taken. Anything else that is thrown fails the test. */
async function refusedFor(call: Call, value: unknown): Promise<string | null> {
  try {
    close(await call(value as never));
    return null;
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
    expect(error.message.length).toBeLessThan(1_000);
    return error.argument;
  }
}

const server = createServer();
const port = (value: never) =>
  typeof value === 'number' ? undefined : library.listen(server, { port: value });

/** Each argument of each function, and the names that an error may have for it. `fields.*` stands for any field. */
const calls: readonly (readonly [call: string, run: Call, names: readonly string[]])[] = [
  ['notify(?)', (value) => library.notify(value), ['fields', '*']],
  ['notify({ ready: ? })', (value) => library.notify({ ready: value }), ['ready', 'fields']],
  ['notify({ status: ? })', (value) => library.notify({ status: value }), ['status', 'fields']],
  ['notify({ errno: ? })', (value) => library.notify({ ready: true, errno: value }), ['errno']],
  ['notify({ mainPid: ? })', (value) => library.notify({ ready: true, mainPid: value }), ['mainPid']],
  ['notify({ fdName: ? })', (value) => library.notify({ ready: true, fdName: value }), ['fdName']],
  ['notify({ watchdog: ? })', (value) => library.notify({ ready: true, watchdog: value }), ['watchdog']],
  [
    'notify({ extendTimeoutMicroseconds: ? })',
    (value) => library.notify({ ready: true, extendTimeoutMicroseconds: value }),
    ['extendTimeoutMicroseconds'],
  ],
  ['barrier(?)', (value) => library.barrier(value), ['timeoutMilliseconds']],
  ['fdStore.put(?)', (value) => library.fdStore.put(value, 0), ['name']],
  ['fdStore.put(…, ?)', (value) => library.fdStore.put('name', value), ['descriptors']],
  ['fdStore.put(…, …, ?)', (value) => library.fdStore.put('name', 0, value), ['options', '*']],
  ['fdStore.put(…, …, { poll: ? })', (value) => library.fdStore.put('name', 0, { poll: value }), ['poll']],
  ['fdStore.take(?)', (value) => library.fdStore.take(value), ['name']],
  ['fdStore.remove(?)', (value) => library.fdStore.remove(value), ['name']],
  ['journal.send(?)', (value) => library.journal.send(value), ['fields', 'fields.*']],
  [
    'journal.send({ MESSAGE: ? })',
    (value) => library.journal.send({ MESSAGE: value }),
    ['fields', 'fields.MESSAGE'],
  ],
  [
    'journal.send({ PRIORITY: ? })',
    (value) => library.journal.send({ MESSAGE: 'x', PRIORITY: value }),
    ['fields.PRIORITY'],
  ],
  ['journal.flush(?)', (value) => library.journal.flush(value), ['timeoutMilliseconds']],
  ['onSignal(?)', (value) => library.onSignal(value, () => undefined), ['signals']],
  ['onSignal(…, ?)', (value) => library.onSignal('SIGUSR2', value), ['listener']],
  ['credentials.path(?)', (value) => library.credentials.path(value), ['name']],
  ['credentials.read(?)', (value) => library.credentials.read(value), ['name']],
  ['closeServer(?)', (value) => library.closeServer(value), ['server']],
  ['closeServer(…, ?)', (value) => library.closeServer(server, value), ['deadline']],
  ['listen(?)', (value) => library.listen(value, { port: 0 }), ['server']],
  ['listen(…, ?)', (value) => library.listen(server, value), ['where', '*']],
  ['listen(…, { port: ? })', port, ['port', 'where']],
  ['listen(…, { name: ? })', (value) => library.listen(server, { name: value }), ['name', 'where']],
  [
    'listen(…, { host: ? })',
    (value) => library.listen(server, { name: 'none', host: value }),
    ['host', 'name'],
  ],
  ['describeReport(?)', (value) => library.describeReport(value), ['report']],
  ['describeSupervision(?)', (value) => library.describeSupervision(value), ['found']],
  ['journalLog(?)', (value) => journalLog(value, 'x'), ['priority']],
  ['journalLog(…, ?)', (value) => journalLog('debug', value), ['message']],
  ['journalLog(…, …, ?)', (value) => journalLog('debug', 'x', value), ['fields', 'fields.*']],
  ['pinoFields(?)', (value) => pinoFields(value), ['record']],
  ['pinoFields({ msg: ? })', (value) => pinoFields({ msg: value, key: value }), ['record']],
  ['pinoFields({ err: ? })', (value) => pinoFields({ err: value }), ['record']],
  ['fakeManager(?)', (value) => fakeManager(value), ['options', '*']],
  ['fakeManager({ fdStoreMax: ? })', (value) => fakeManager({ fdStoreMax: value }), ['fdStoreMax']],
  [
    'fakeManager({ watchdogMicroseconds: ? })',
    (value) => fakeManager({ watchdogMicroseconds: value }),
    ['watchdogMicroseconds'],
  ],
];

function isNamed(argument: string | null, names: readonly string[]): boolean {
  if (argument === null) return true;
  return names.some(
    (name) => name === '*' || name === argument || (name === 'fields.*' && argument.startsWith('fields.')),
  );
}

describe('a hostile value is taken or refused by the name of its argument', () => {
  // Where there is no journal, all messages would be shown.
  beforeEach(() => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each(calls)('%s', async (_call, run, names) => {
    for (const [name, value] of hostileValues) {
      const argument = await refusedFor(run, value);
      expect(isNamed(argument, names), `${name}: ${argument}`).toBe(true);
    }
    await fc.assert(
      fc.asyncProperty(anything, async (value) => isNamed(await refusedFor(run, value), names)),
      { numRuns: 50 },
    );
  });

  it('also in a service, which goes on', () => {
    const child = new URL('./hostile-child.mjs', import.meta.url).pathname;
    const { status, stdout, stderr } = spawnSync(process.execPath, [child], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/The report function of supervise\(\) threw: hostile\nStopping: /),
    ]);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  it('also by the destination of a logger', async () => {
    for (const [, value] of hostileValues) {
      // A function is the callback of the end.
      if (typeof value === 'function') continue;
      const destination = journalDestination();
      const ended = new Promise<void>((resolve) => {
        destination.on('error', () => resolve());
        destination.on('finish', () => resolve());
      });
      try {
        destination.end(value as string);
        await ended;
      } catch (error) {
        // The stream's own check, which may read the value.
        expect(error).toBeInstanceOf(Error);
      }
    }
  });
});

describe('a socket that is wrong', () => {
  afterEach(() => {
    delete process.env['NOTIFY_SOCKET'];
  });

  it.each(['relative', '', '@', '/', '/nonexistent/socket', '/dev/null', `/${'x'.repeat(200)}`, 'vsock:1:2'])(
    'in NOTIFY_SOCKET=%s is an outcome, not an exception',
    async (address) => {
      process.env['NOTIFY_SOCKET'] = address;
      const failed = { outcome: 'failed', errno: expect.any(Number), code: expect.stringMatching(/^E/) };
      expect(library.notify({ ready: true })).toMatchObject(failed);
      expect(library.fdStore.put('name', 0)).toMatchObject(failed);
      expect(await library.barrier(100)).toMatchObject(failed);
    },
  );

  it('among those that were passed is told by its name', () => {
    const program = `
      import { listen } from ${JSON.stringify(new URL('../../dist/library/index.js', import.meta.url).href)};
      import { createServer } from 'node:net';
      process.env.LISTEN_PID = String(process.pid);
      const error = await listen(createServer(), { name: 'web' }).catch((error) => error);
      console.log(JSON.stringify([error.name, error.argument, error.message]));`;
    const file = openSync('/dev/null', 'r');
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit', file],
      env: { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' },
      encoding: 'utf8',
    });
    closeSync(file);
    expect(JSON.parse(stdout)).toEqual([
      'ArgumentError',
      'name',
      expect.stringContaining('no stream socket'),
    ]);
  });
});
