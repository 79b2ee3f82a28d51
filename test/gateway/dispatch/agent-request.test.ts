import { afterEach, beforeEach, expect, test } from 'vitest';
import { agentRequest } from '../../../src/gateway/dispatch/agent-request.js';
import { NewAttachments } from '../../../src/store/new-attachments.js';
import type { Store } from '../../../src/store/store.js';
import type { Turn } from '../../../src/store/turns.js';
import { acceptOne, claimOne } from '../../store/samples.js';
import { openStore } from './fixture.js';

const limits = { count: 1, fileBytes: 10, totalBytes: 10 };
const requestOf = (agent: string, turn: Turn) =>
  agentRequest(store, agent, turn, new NewAttachments(store, limits));

let opened: Awaited<ReturnType<typeof openStore>>;
let store: Store;
beforeEach(async () => {
  opened = await openStore();
  store = opened.store;
});
afterEach(() => opened.dispose());

async function run(text: string, sender: string | null = null): Promise<Turn> {
  await acceptOne(store, 'a', { text, sender, acceptedAt: Date.now() });
  const [turn] = await store.claimTurns({ owner: 'first', limit: 1, leaseMs: 60_000, collectLimit: 9 });
  if (turn === undefined) throw new Error('Expected a turn.');
  return turn;
}

test('an agent is told the author and the channel of a message', async () => {
  const turn = await run('hello', 'ada');
  expect(requestOf('default', turn)).toMatchObject({
    session: 'a',
    generation: 1,
    text: 'hello',
    sender: { id: 'ada', name: null, channel: 'http', role: null },
    files: [],
  });
});

test('history has the turns before, each with all its texts, until a reset', async () => {
  await store.setPolicy('a', 'collect');
  await acceptOne(store, 'a', { text: 'one', acceptedAt: Date.now() });
  await store.completeTurn(await run('two'), { text: '1 and 2', metadata: {} });
  await store.completeTurn(await run('three'), { text: '3', metadata: {} });
  const turn = await run('four');
  const history = (of: Turn) => requestOf('default', of).history(9);
  expect(await history(turn)).toMatchObject([
    { text: 'one\n\ntwo', reply: { text: '1 and 2' } },
    { text: 'three', reply: { text: '3' } },
  ]);
  await store.resetSession('a');
  // It came before the reset.
  expect(await history(turn)).toHaveLength(2);
  await store.completeTurn(turn, { text: '4', metadata: {} });
  expect(await history(await run('five'))).toEqual([]);
});

test('what an agent keeps is its own, and that of the generation', async () => {
  const first = await run('one');
  const { agentSession } = requestOf('coder', first);
  expect(await agentSession.read()).toBeNull();
  await agentSession.write({ id: 'session-7' });
  expect(await agentSession.read()).toEqual({ id: 'session-7' });
  expect(await requestOf('other', first).agentSession.read()).toBeNull();
  await store.completeTurn(first, { text: '1', metadata: {} });
  expect(await requestOf('coder', await run('two')).agentSession.read()).toEqual({
    id: 'session-7',
  });
  await agentSession.write(null);
  expect(await agentSession.read()).toBeNull();
});

test('files of all messages of a turn can be read', async () => {
  const blob = await store.putBlob([Buffer.from('a picture')], 1_000);
  if (blob === null) throw new Error('Expected a file.');
  await acceptOne(store, 'b', {
    attachments: [{ ...blob, name: 'a.png', mediaType: 'image/png' }],
    acceptedAt: Date.now(),
  });
  const turn = await claimOne(store, { leaseUntil: 62_000 });
  const [file] = requestOf('default', turn).files;
  expect(file).toMatchObject({ name: 'a.png', mediaType: 'image/png', sizeBytes: 9 });
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await file?.open()) ?? []) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('a picture');
});
