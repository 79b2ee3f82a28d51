import type { LookupAddress } from 'node:dns';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lookupDeadlineMs, NameResolver } from '../../../../src/gateway/delivery/addresses/guarded-lookup.js';

/** Look-ups that getaddrinfo(3) has not answered yet. */
const asked: { readonly name: string; readonly end: (error: Error | null) => void }[] = [];
vi.mock('node:dns', () => ({
  lookup: (
    name: string,
    _options: object,
    callback: (error: Error | null, found: readonly LookupAddress[]) => void,
  ) => asked.push({ name, end: (error) => callback(error, found) }),
}));

const found: readonly LookupAddress[] = [{ address: '192.0.2.1', family: 4 }];
const unknown = Object.assign(new Error('there is no such name'), { code: 'ENOTFOUND' });
const silent = ['0', '1', '2', '3', '4', '5', '6', '7'];

let resolver: NameResolver;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  resolver = new NameResolver();
});
afterEach(() => {
  vi.useRealTimers();
  expect(namesAsked()).toEqual([]);
});

const resolve = (name: string) =>
  resolver.resolve(name, { family: 0 }).catch((error: Error) => error.message);
const namesAsked = () => asked.map(({ name }) => name);
/** Whoever waited for that has its turn afterwards. */
async function end(name: string, error: Error | null): Promise<void> {
  const [one] = asked.splice(namesAsked().indexOf(name), 1);
  one?.end(error);
  await new Promise(setImmediate);
}
async function endAll(error: Error | null): Promise<void> {
  while (asked[0] !== undefined) await end(asked[0].name, error);
}

test('a name is asked for once at a time, so that one whose servers are silent takes no thread from the others', async () => {
  const first = [resolve('a'), resolve('a'), resolve('b')];
  expect(namesAsked()).toEqual(['a', 'b']);
  await endAll(null);
  expect(await Promise.all(first)).toEqual([found, found, found]);

  const second = resolve('a');
  expect(namesAsked()).toEqual(['a']);
  await endAll(unknown);
  expect(await second).toBe(unknown.message);
});

test('eight names are asked for at a time, and the others in their order', async () => {
  const answers = silent.map(resolve);
  const others = ['a', 'b'].map(resolve);
  expect(namesAsked()).toEqual(silent);
  await end('3', null);
  expect(namesAsked()).toEqual([...silent.filter((name) => name !== '3'), 'a']);
  await endAll(null);
  expect(await Promise.all([...answers, ...others])).toEqual(new Array(10).fill(found));
});

test('nobody waits for silent servers beyond the deadline, and a name is not asked for twice meanwhile', async () => {
  const first = resolve('silent');
  await vi.advanceTimersByTimeAsync(lookupDeadlineMs);
  expect(await first).toBe('no name server has answered for silent within 5 s');
  const second = resolve('silent');
  expect(namesAsked()).toEqual(['silent']);
  await endAll(null);
  expect(await second).toEqual(found);
});

test('a look-up whose turn comes after the deadline is dropped, for those behind it', async () => {
  const answers = silent.map(resolve);
  const late = resolve('late');
  await vi.advanceTimersByTimeAsync(lookupDeadlineMs);
  expect(await late).toContain('no name server');
  const other = resolve('other');
  await end('0', null);
  expect(namesAsked()).toEqual([...silent.slice(1), 'other']);
  await end('other', null);
  expect(await other).toEqual(found);
  await endAll(null);
  await Promise.all(answers);
});
