import { describe, expect, it } from 'vitest';
import { ListenError } from '../../../src/channels/http/server/listen.js';
import { RefusedStart } from '../../../src/gateway/start/failed-start.js';
import { SecretError } from '../../../src/gateway/start/secrets.js';
import { StartWait } from '../../../src/gateway/start/start-wait.js';
import type { Log } from '../../../src/log/log.js';
import { StoreError } from '../../../src/store/store-error.js';

const taken = () => new ListenError('127.0.0.1:80', 'EADDRINUSE', 'somebody listens there');

function waitOf(limitMs: number, signal = new AbortController().signal) {
  const steps: string[] = [];
  const logged: string[] = [];
  let progress = 0;
  const note = (text: string) => logged.push(text);
  const wait = new StartWait({
    limitMs,
    log: { warning: note, notice: note } as unknown as Log,
    step: (text) => steps.push(text),
    progress: () => {
      progress += 1;
    },
    signal,
  });
  return { wait, steps, logged, progress: () => progress };
}

/** Fails so often, then succeeds. */
function failing(times: number, error: () => Error): () => Promise<string> {
  let left = times;
  return async () => {
    if (left === 0) return 'done';
    left -= 1;
    throw error();
  };
}

describe('a start that lacks something outside of the gateway', () => {
  it('waits for it, tells what it is, and gets on', async () => {
    const { wait, steps, logged, progress } = waitOf(60_000);
    expect(await wait.until(failing(2, taken))).toBe('done');
    expect(steps).toEqual([
      'waiting up to 1min: somebody listens there',
      'waiting up to 1min: somebody listens there',
    ]);
    expect(logged).toEqual([
      'The start waits, 1min at most (start.wait): somebody listens there',
      expect.stringMatching(/^The start goes on after /),
    ]);
    expect(progress()).toBe(3);
    wait.step('binding the listeners');
    expect(steps.at(-1)).toBe('binding the listeners');
  });

  it('keeps the reason in sight while an attempt goes through its steps', async () => {
    const { wait, steps } = waitOf(60_000);
    let tries = 0;
    await wait.until(async () => {
      wait.step(`opening the store ${tries}`);
      if (tries++ < 1) throw new StoreError('unavailable', 'read-only');
    });
    expect(steps).toEqual(['opening the store 0', 'waiting up to 1min: read-only']);
  });

  it('gives up after the limit, which all of its waits share', async () => {
    const { wait } = waitOf(600);
    await wait.until(failing(1, taken));
    await expect(wait.until(failing(100, taken))).rejects.toThrow('somebody listens there');
    expect(wait.waitedMs).toBeGreaterThanOrEqual(600);
    expect(wait.waitedMs).toBeLessThan(30_000);
  });

  it('ends at once when it is cancelled, or when another part has failed', async () => {
    const stop = new AbortController();
    const { wait } = waitOf(60_000, stop.signal);
    const waiting = wait.until(failing(100, taken));
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow();
    const other = waitOf(60_000);
    other.wait.end();
    await expect(other.wait.until(failing(1, taken))).rejects.toThrow('somebody listens there');
  });

  it('does not wait with a limit of 0', async () => {
    const { wait, steps } = waitOf(0);
    await expect(wait.until(failing(1, taken))).rejects.toThrow('somebody listens there');
    expect(steps).toEqual([]);
    expect(wait.waitedMs).toBe(0);
  });
});

const coded = (code: string) => Object.assign(new Error(code), { code });

it.each([
  [new StoreError('unavailable', 'locked'), true],
  [new StoreError('full', 'no room'), true],
  [new StoreError('corrupt', 'torn'), false],
  [new StoreError('refused', 'newer'), false],
  [new ListenError('a', 'EADDRNOTAVAIL', 'no such address'), true],
  [new ListenError('a', 'ENOTFOUND', 'no such name'), true],
  [new ListenError('unix:/srv/a/b', 'ENOENT', 'no directory'), true],
  [new ListenError('a:80', 'EACCES', 'not allowed'), false],
  [coded('ENOSPC'), true],
  [coded('EROFS'), true],
  [coded('ENOENT'), false],
  [new SecretError('The token can’t be kept', { cause: coded('ENOSPC') }), true],
  [new SecretError('The token is open to others'), false],
  [new RefusedStart('in use'), false],
  [new TypeError('oops'), false],
])('%s is waited for: %s', async (error, isWaitedFor) => {
  const { wait, progress } = waitOf(60_000);
  const end = wait.until(failing(1, () => error));
  if (isWaitedFor) expect(await end).toBe('done');
  else await expect(end).rejects.toBe(error);
  expect(progress()).toBe(isWaitedFor ? 2 : 1);
});
