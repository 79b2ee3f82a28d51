import type { LookupAddress } from 'node:dns';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NameResolver } from '../../../../src/gateway/delivery/addresses/name-resolver.js';

/** What getaddrinfo(3) was asked, and has not answered yet. */
const asked: { readonly name: string; readonly end: (error: Error | null) => void }[] = [];
vi.mock('node:dns', () => ({
  lookup: (
    name: string,
    _options: object,
    callback: (error: Error | null, found: readonly LookupAddress[]) => void,
  ) => asked.push({ name, end: (error) => callback(error, found) }),
}));

const found: readonly LookupAddress[] = [{ address: '192.0.2.1', family: 4 }];
const unanswered = Object.assign(new Error('no server has answered'), { code: 'EAI_AGAIN' });
const unknown = Object.assign(new Error('there is no such name'), { code: 'ENOTFOUND' });
const names = ['0', '1', '2', '3', '4', '5', '6'];

let resolver: NameResolver;
beforeEach(() => {
  resolver = new NameResolver();
});
afterEach(() => expect(namesAsked()).toEqual([]));

const resolve = (name: string) =>
  resolver.resolve(name, { family: 0 }).catch((error: NodeJS.ErrnoException) => error.code);
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
async function areSilent(): Promise<void> {
  const answers = names.map(resolve);
  expect(namesAsked()).toEqual(names);
  await endAll(unanswered);
  expect(await Promise.all(answers)).toEqual(names.map(() => 'EAI_AGAIN'));
}

test('a name is asked for once at a time, so that one whose servers are silent takes no thread from the others', async () => {
  const first = [resolve('a'), resolve('a'), resolve('b')];
  expect(namesAsked()).toEqual(['a', 'b']);
  await endAll(null);
  expect(await Promise.all(first)).toEqual([found, found, found]);

  const second = resolve('a');
  expect(namesAsked()).toEqual(['a']);
  await endAll(null);
  expect(await second).toEqual(found);
});

test('names whose servers were silent are asked for four at a time, others at once', async () => {
  await areSilent();
  const answers = names.map(resolve);
  const other = resolve('other');
  expect(namesAsked()).toEqual([...names.slice(0, 4), 'other']);
  await end('other', null);
  expect(await other).toEqual(found);
  await end('1', unanswered);
  expect(namesAsked()).toEqual(['0', '2', '3', '4']);
  await endAll(null);
  expect(await Promise.all(answers)).toEqual(names.map((name) => (name === '1' ? 'EAI_AGAIN' : found)));
});

test.each([
  ['that there are addresses', null],
  ['that there are none', unknown],
])('a name whose servers were silent is as any other once they have said %s', async (_what, answer) => {
  await areSilent();
  const answers = names.map(resolve);
  await endAll(answer);
  await Promise.all(answers);

  const again = names.map(resolve);
  expect(namesAsked()).toEqual(names);
  await endAll(null);
  expect(await Promise.all(again)).toEqual(names.map(() => found));
});

test('of the silent names that are too many to be known the oldest are as any other', async () => {
  const many = Array.from({ length: 10_001 }, (_, index) => `many-${index}`);
  const answers = many.map(resolve);
  while (asked.length > 0) asked.shift()?.end(unanswered);
  await Promise.all(answers);

  const again = [...many.slice(1, 6), 'many-0'].map(resolve);
  expect(namesAsked()).toEqual([...many.slice(1, 5), 'many-0']);
  await endAll(null);
  await Promise.all(again);
});
