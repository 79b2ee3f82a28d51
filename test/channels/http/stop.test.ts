import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bodyOf, rawConnection, type Served, serve, token } from './http-fixture.js';

let served: Served;

beforeEach(async () => {
  served = await serve();
});

afterEach(() => served.dispose());

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;

function post(text: string): string {
  const body = JSON.stringify({ text });
  return (
    `POST /v1/sessions/a/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  );
}

describe('while it stops', () => {
  test('messages are taken, each with the last answer of its connection; reading goes on', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    served.channel.stopAccepting();
    const response = await served.post('a', { text: 'y' });
    expect(response.status).toBe(202);
    expect(response.headers.get('connection')).toBe('close');
    expect((await served.get(`/v1/messages/${id}`)).status).toBe(200);
    expect(served.accepted.length).toBe(2);
    expect(await served.store.counts()).toMatchObject({ queued: 2 });
  });

  test('a kept-alive connection gets its next answer with "Connection: close"', async () => {
    const connection = await rawConnection(served.base);
    connection.write(get('/healthz'));
    const answer = await connection.until('healthy');
    expect(answer).toContain('Connection: keep-alive');
    // Before the gateway would close it itself.
    expect(answer).toContain('Keep-Alive: timeout=65');
    served.channel.stopAccepting();
    connection.write(post('x'));
    const last = (await connection.ended).slice(answer.length);
    expect(last).toMatch(/^HTTP\/1.1 202[\s\S]*Connection: close/);
    expect(last).not.toContain('Keep-Alive');
  });

  test.for(['before', 'after'] as const)(
    'of requests sent in one go %s its begin each is answered, the last with "Connection: close"',
    async (when) => {
      await served.dispose();
      let finish: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        finish = resolve;
      });
      let begun = 0;
      served = await serve({
        over: {
          async accept(message, limits) {
            begun++;
            await held;
            return served.store.accept(message, limits);
          },
        },
      });
      if (when === 'after') served.channel.stopAccepting();
      const connection = await rawConnection(served.base);
      connection.write(post('1') + post('2') + post('3'));
      await expect.poll(() => begun).toBe(1);
      if (when === 'before') served.channel.stopAccepting();
      finish();
      const answers = (await connection.ended).split(/(?=HTTP\/1\.1 )/);
      expect(answers.map((answer) => answer.startsWith('HTTP/1.1 202'))).toEqual([true, true, true]);
      expect(answers.map((answer) => answer.includes('Connection: close'))).toEqual([false, false, true]);
      expect(served.accepted.length).toBe(3);
    },
  );

  test('long polls are answered with the present state, and when to ask again', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    const waiting = served.get(`/v1/messages/${id}?wait=60`);
    await expect.poll(() => served.channel.facts().waiting).toBe(1);
    served.channel.stopAccepting();
    const response = await waiting;
    expect(response.headers.get('connection')).toBe('close');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await bodyOf(response)).toMatchObject({ id, state: 'queued' });
    expect(await bodyOf(served.get(`/v1/messages/${id}?wait=60`))).toMatchObject({ state: 'queued' });
    expect((await served.get(`/v1/messages/${id}`)).headers.get('retry-after')).toBe(null);
  });
});

describe('closing', () => {
  test('idle connections end, those that never asked among them', async () => {
    const idle = await rawConnection(served.base);
    idle.write(get('/healthz'));
    await idle.until('healthy');
    const silent = await rawConnection(served.base);
    await expect.poll(() => served.channel.facts().connections.open).toBe(2);
    await served.channel.close(600_000);
    expect(served.records).toEqual([]);
    await idle.ended;
    expect(await silent.ended).toBe('');
  });

  test('a connection with a request under way ends after its answer', async () => {
    await served.dispose();
    const begun = new EventTarget();
    let finish: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    served = await serve({
      over: {
        async accept(message, limits) {
          begun.dispatchEvent(new Event('begun'));
          await held;
          return served.store.accept(message, limits);
        },
      },
    });
    const connection = await rawConnection(served.base);
    const posting = once(begun, 'begun');
    connection.write(post('kept'));
    await posting;
    const closed = served.channel.close(600_000);
    finish();
    expect(await connection.ended).toMatch(/^HTTP\/1.1 202[\s\S]*Connection: close/);
    await closed;
    expect(served.records).toEqual([]);
    expect(await served.store.counts()).toMatchObject({ queued: 1 });
  });

  test('requests that have been read and wait for their turn are answered', async () => {
    await served.dispose();
    let finish: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun = 0;
    served = await serve({
      over: {
        async accept(message, limits) {
          begun++;
          await held;
          return served.store.accept(message, limits);
        },
      },
    });
    const connection = await rawConnection(served.base);
    connection.write(post('1') + post('2'));
    await expect.poll(() => begun).toBe(1);
    const closed = served.channel.close(600_000);
    finish();
    expect((await connection.ended).match(/HTTP\/1.1 202/g)).toHaveLength(2);
    await closed;
    expect(served.records).toEqual([]);
  });

  test('a request that has come in part is waited for, and taken', async () => {
    const connection = await rawConnection(served.base);
    connection.write(get('/healthz'));
    await connection.until('healthy');
    const whole = post('x');
    connection.write(whole.slice(0, 60));
    connection.write('');
    // Its bytes have arrived once another connection's later request has been answered.
    await served.get('/healthz');
    const closed = served.channel.close(600_000);
    connection.write(whole.slice(60));
    expect(await connection.ended).toMatch(/HTTP\/1.1 202/);
    await closed;
    expect(served.records).toEqual([]);
  });

  test('a connection whose refused body came after the answer is idle', async () => {
    const connection = await rawConnection(served.base);
    const whole = post('x'.repeat(1_000)).replace(token, 'wrong');
    connection.write(whole.slice(0, -500));
    await connection.until('unauthorized');
    connection.write(whole.slice(-500));
    // Its bytes have arrived once another connection's later request has been answered.
    await served.get('/healthz');
    await served.channel.close(600_000);
    expect(served.records).toEqual([expect.stringContaining('Refused a token')]);
    await connection.ended;
  });

  test('a connection whose refused body is still coming is not idle', async () => {
    const connection = await rawConnection(served.base);
    const whole = post('x'.repeat(1_000)).replace(token, 'wrong');
    connection.write(whole.slice(0, -500));
    await connection.until('unauthorized');
    await served.channel.close(10);
    expect(served.records).toEqual([
      expect.stringContaining('Refused a token'),
      expect.stringContaining('1 connections were closed'),
    ]);
    await connection.ended;
  });

  test('what does not end in time is cut off, and counted', async () => {
    const connection = await rawConnection(served.base);
    connection.write(get('/healthz').slice(0, 10));
    await served.get('/healthz');
    await served.channel.close(10);
    expect(served.records).toEqual([expect.stringContaining('1 connections were closed')]);
    expect(await connection.ended).toBe('');
  });

  test('no connection is taken any more', async () => {
    await served.channel.close(0);
    await expect(fetch(`${served.base}/healthz`)).rejects.toThrow();
  });
});
