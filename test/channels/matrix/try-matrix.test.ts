import { afterEach, beforeEach, expect, it } from 'vitest';
import { tryMatrix } from '../../../src/channels/matrix/try-matrix.js';
import { botUser, MatrixStandIn } from '../../support/matrix-stand-in.js';

let matrix: MatrixStandIn;
beforeEach(async () => {
  matrix = await MatrixStandIn.start();
});
afterEach(() => matrix.close());

const attempt = (token = matrix.token, root = matrix.root) =>
  tryMatrix(root, token, {}, new AbortController().signal);

it('knows the account', async () => {
  expect(await attempt()).toEqual({ kind: 'ok', userId: botUser });
  expect(matrix.calls.map(({ name }) => name)).toEqual(['GET whoami']);
  expect(matrix.mistakes).toEqual([]);
});

it('says which answer is wrong, and does not repeat the token', async () => {
  matrix.next('GET whoami', { kind: 'raw', status: 200, body: '{}' });
  const told = [
    await attempt(),
    await attempt(`${matrix.token}x`),
    await attempt('two words'),
    await attempt(matrix.token, 'http://127.0.0.1:9'),
  ];
  matrix.homeserverOf = 'https://matrix.example.org/';
  told.push(await attempt());
  const reasons = [
    ['homeserver', `${matrix.root} does not say whose token it is`],
    ['token', 'the homeserver does not know the access token (M_UNKNOWN_TOKEN'],
    ['token', 'this is no access token'],
    ['homeserver', 'The gateway has to reach http://127.0.0.1:9'],
    ['homeserver', 'names https://matrix.example.org: take that one'],
  ] as const;
  expect(told).toEqual(
    reasons.map(([about, reason]) => ({ kind: 'problem', about, reason: expect.stringContaining(reason) })),
  );
  expect(JSON.stringify(told)).not.toContain(matrix.token);
});
