import { afterAll, beforeAll, expect, test } from 'vitest';
import { bodyOf, rawConnection, type Served, serve, token } from '../http-fixture.js';

let served: Served;
beforeAll(async () => {
  served = await serve();
});
afterAll(() => served.dispose());

const authorization = `Authorization: Bearer ${token}\r\n`;
const json = 'Content-Type: application/json\r\n';

/** A client that sends the body only when it is asked for it. */
async function ask(path: string, headers: string) {
  const connection = await rawConnection(served.base);
  connection.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n${headers}\r\n`);
  return connection;
}

test.each([
  ['without the token', '/v1/sessions/a/messages', `${json}Content-Length: 12\r\n`, 401],
  ['for no address', '/v1/nothing', `${authorization}${json}Content-Length: 12\r\n`, 404],
  ['for another method', '/v1/sessions', `${authorization}${json}Content-Length: 12\r\n`, 405],
  ['that is too large', '/v1/sessions/a/messages', `${authorization}${json}Content-Length: 262145\r\n`, 413],
  [
    'that is encoded',
    '/v1/sessions/a/messages',
    `${authorization}${json}Content-Encoding: gzip\r\nContent-Length: 12\r\n`,
    415,
  ],
])('a body %s is not asked for; the connection ends, as nobody knows if it comes', async (...row) => {
  const [, path, headers, status] = row;
  const answer = await (await ask(path, headers)).ended;
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(answer).toMatch(/\r\nconnection: close\r\n/i);
});

test('a body that is wanted is asked for, and the connection goes on', async () => {
  const connection = await ask(
    '/v1/sessions/wanted/messages',
    `${authorization}${json}Content-Length: 12\r\n`,
  );
  expect(await connection.until('\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  connection.write('{"text":"x"}');
  expect(await connection.until('"state"')).toMatch(/\r\n\r\nHTTP\/1.1 202 /);
  connection.write(
    `GET /v1/sessions/wanted HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${authorization}\r\n`,
  );
  expect(await connection.ended).toContain('"last_seq":1');
  expect((await bodyOf(served.get('/v1/sessions/wanted/messages'))).items).toHaveLength(1);
});

test('where there is no body, none is asked for', async () => {
  await served.post('empty', { text: 'x' });
  const connection = await ask('/v1/sessions/empty/cancel', authorization);
  expect(await connection.until('"cancelled"')).toMatch(/^HTTP\/1.1 200 /);
  connection.end();
});
