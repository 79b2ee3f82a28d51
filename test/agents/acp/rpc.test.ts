import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { errorText } from '../../../src/agents/acp/handshake.js';
import { RpcConnection, type RpcError } from '../../../src/agents/acp/rpc.js';

/** A connection whose requests of the other side nobody answers before `answer` is called. */
function unanswered() {
  const output = new PassThrough();
  const waiting: ((result: unknown) => void)[] = [];
  const connection = new RpcConnection(output, {
    request: () => new Promise((resolve) => waiting.push(resolve)),
    notification: () => undefined,
    garbage: () => undefined,
    stuck: () => undefined,
  });
  const ask = (id: unknown, params: unknown) =>
    connection.receive(JSON.stringify({ jsonrpc: '2.0', id, method: 'x', params }));
  const answers = () =>
    String(output.read() ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { readonly id: unknown; readonly error?: RpcError });
  return { connection, ask, answers, waiting };
}

test('requests without an answer are at most 100, also of one id', () => {
  const { ask, answers, waiting } = unanswered();
  for (let count = 0; count < 150; count += 1) ask(1, null);
  expect(waiting).toHaveLength(100);
  expect(answers()).toHaveLength(50);
});

test('requests without an answer are at most 16 MiB together, and others follow once there is room', async () => {
  const { ask, answers, waiting } = unanswered();
  for (let count = 0; count < 5; count += 1) ask(count, 'x'.repeat(6 * 1_024 ** 2));
  expect(waiting).toHaveLength(2);
  expect(answers()).toMatchObject([2, 3, 4].map((id) => ({ id, error: { code: -32_600 } })));
  waiting[0]?.({});
  await expect.poll(answers).toEqual([{ jsonrpc: '2.0', id: 0, result: {} }]);
  ask(5, 'x'.repeat(6 * 1_024 ** 2));
  expect(waiting).toHaveLength(3);
});

test('a request whose id is neither a number nor a short text is refused', () => {
  const { ask, answers, waiting } = unanswered();
  for (const id of [{}, 'i'.repeat(2_000)]) ask(id, null);
  expect(waiting).toHaveLength(0);
  expect(answers()).toMatchObject([{ id: null }, { id: null }]);
});

test.each([
  [{ code: 1, message: 'no' }, 'no'],
  [{ code: 1, message: { toString: 1, valueOf: 1 } }, 'an error without a message'],
  [{ code: { valueOf: 1, toString: 1 }, message: 'no' }, 'no'],
  [{}, 'an error without a message'],
])('the error %j rejects its request', async (error, message) => {
  const { connection } = unanswered();
  const request = connection.request('session/prompt', {});
  connection.receive(JSON.stringify({ jsonrpc: '2.0', id: 0, error }));
  await expect(request).rejects.toThrow(message);
});

test.each([
  [{ code: -32603, message: 'no' }, 'error -32603: no'],
  [{ code: 'x', message: 'no' }, 'error: no'],
  [{ message: 'no', data: 'why' }, 'error: no: why'],
])('the error %j is told as "%s"', async (error, told) => {
  const { connection } = unanswered();
  const request = connection.request('session/prompt', {});
  connection.receive(JSON.stringify({ jsonrpc: '2.0', id: 0, error }));
  expect(errorText((await request.catch((reason: unknown) => reason)) as RpcError)).toBe(told);
});
