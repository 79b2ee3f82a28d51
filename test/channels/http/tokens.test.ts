import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { rightOf } from '../../../src/channels/http/route-scopes.js';
import { clientProcesses, connectionInode } from '../../../src/channels/http/server/client-process.js';
import { NamedTokens, scopes } from '../../../src/channels/http/tokens.js';
import { withCalls } from '../../store/with-calls.js';
import { bodyOf, type Served, serve, token } from './http-fixture.js';

let served: Served;

beforeAll(async () => {
  served = await serve({ settings: { channelNames: ['irc'] } });
});
afterAll(() => served.dispose());

afterEach(async () => {
  const { items } = await served.store.records('token', { limit: 100, after: null });
  for (const { key } of items) await ask('DELETE', `/v1/tokens/${key}`, token);
});

function ask(method: string, path: string, of: string, body?: unknown): Promise<Response> {
  return fetch(served.base + path, {
    method,
    headers: {
      authorization: `Bearer ${of}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

async function made(name: string, granted: readonly string[]): Promise<string> {
  const answer = await ask('POST', '/v1/tokens', token, { name, scopes: granted });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { readonly token: string }).token;
}

describe('a named token', () => {
  it('is shown once, listed without its secret, and kept as a hash', async () => {
    const answer = await ask('POST', '/v1/tokens', token, { name: 'ci', scopes: ['read', 'post', 'read'] });
    const view = (await answer.json()) as { readonly token: string };
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(view).toEqual({
      name: 'ci',
      scopes: ['post', 'read'],
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      token: expect.stringMatching(/^[\w-]{43}$/),
    });
    const listed = await ask('GET', '/v1/tokens', token);
    const { token: secret, ...others } = view;
    expect(await listed.json()).toEqual({ items: [others], next: null });
    const kept = JSON.stringify(await served.store.records('token', { limit: 9, after: null }));
    expect(kept).toContain('"ci"');
    expect(kept).not.toContain(secret);
    expect(served.records.join()).not.toContain(secret);
  });

  it('leaves a record when it is made and when it is revoked, as each action of a person does', async () => {
    const before = served.records.length;
    await made('ci', ['read', 'post']);
    await ask('POST', '/v1/tokens', token, { name: 'ci', scopes: ['read'] });
    await ask('DELETE', '/v1/tokens/ci', token);
    await ask('DELETE', '/v1/tokens/ci', token);
    expect(served.records.slice(before)).toEqual([
      'Made by request: the token "ci", with the scopes post, read',
      'Revoked by request: the token "ci"',
    ]);
  });

  it('lets nobody in once it is revoked, and its name may be given again', async () => {
    const secret = await made('ci', ['read']);
    expect((await ask('GET', '/v1/sessions', secret)).status).toBe(200);
    expect((await ask('DELETE', '/v1/tokens/ci', token)).status).toBe(204);
    expect((await ask('GET', '/v1/sessions', secret)).status).toBe(401);
    expect((await ask('DELETE', '/v1/tokens/ci', token)).status).toBe(404);
    const next = await made('ci', ['read']);
    expect(next).not.toBe(secret);
    expect((await ask('GET', '/v1/sessions', secret)).status).toBe(401);
    expect((await ask('GET', '/v1/sessions', next)).status).toBe(200);
  });

  it.each([
    [[], '"scopes" must name a scope.'],
    [Array.from({ length: 101 }, () => 'read'), '"scopes" must have at most 100 scopes.'],
  ])('is refused in plain words for its scopes, %#', async (granted, detail) => {
    const answer = await ask('POST', '/v1/tokens', token, { name: 'a', scopes: granted });
    expect(await bodyOf(answer)).toMatchObject({ status: 422, detail });
  });

  it('ends its stream of events when it is revoked, and no other', async () => {
    const streams = await Promise.all(
      ['a', 'b'].map(async (name) => ask('GET', '/v1/sessions/x/events', await made(name, ['read']))),
    );
    await ask('DELETE', '/v1/tokens/a', token);
    await expect(streams[0]?.text()).rejects.toThrow();
    const reader = streams[1]?.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await reader?.cancel();
  });

  it('is known to another gateway on the same store, and revoked there, within a moment', async () => {
    const elsewhere = new NamedTokens(served.store);
    const added = await elsewhere.add('ci', ['read']);
    const secret = added.outcome === 'added' ? added.secret : '';
    await vi.waitFor(async () => expect((await ask('GET', '/v1/sessions', secret)).status).toBe(200), 5_000);
    await elsewhere.revoke('ci');
    await vi.waitFor(async () => expect((await ask('GET', '/v1/sessions', secret)).status).toBe(401), 5_000);
  });

  it.each([
    [{ name: 'ci', scopes: ['read'] }, 409, 'token-exists'],
    [{ name: 'Ci', scopes: ['read'] }, 422, 'invalid-message'],
    [{ name: '', scopes: ['read'] }, 422, 'invalid-message'],
    [{ name: 'a', scopes: [] }, 422, 'invalid-message'],
    [{ name: 'a', scopes: ['all'] }, 422, 'invalid-message'],
    [{ name: 'a', scopes: ['operator'] }, 422, 'invalid-message'],
    [{ name: 'a' }, 422, 'invalid-message'],
    [undefined, 422, 'invalid-message'],
  ])('is refused: %j', async (body, status, kind) => {
    await made('ci', ['read']);
    const answer = await ask('POST', '/v1/tokens', token, body);
    expect(answer.status).toBe(status);
    expect(await bodyOf(answer)).toMatchObject({ type: `urn:sd-gateway:problem:${kind}` });
  });

  it('costs the store nothing when it is none', async () => {
    let reads = 0;
    const store = withCalls(served.store, {
      records: (kind, page) => {
        reads += 1;
        return served.store.records(kind, page);
      },
    });
    const tokens = new NamedTokens(store);
    for (let count = 0; count < 100; count += 1) expect(await tokens.find('nonsense')).toBeNull();
    expect(reads).toBeLessThan(5);
  });

  it('lets nobody in whose record is not as it should be', async () => {
    const values = [null, 'x', [], {}, { hash: 'x', scopes: [], created_at: 1 }, { hash: 'a'.repeat(64) }];
    for (const [index, value] of values.entries()) {
      await served.store.putRecord({ kind: 'token', key: `t${index}`, value });
    }
    expect(await new NamedTokens(served.store).list()).toEqual([]);
    expect((await ask('GET', '/v1/sessions', 'x')).status).toBe(401);
  });
});

const id = '0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b';

describe('each call needs its right', () => {
  it.each([
    ['POST', '/v1/sessions/a/messages', 'post'],
    ['GET', `/v1/messages/${id}`, 'read'],
    ['HEAD', `/v1/messages/${id}`, 'read'],
    ['GET', '/v1/sessions', 'read'],
    ['GET', '/v1/sessions/a', 'read'],
    ['GET', '/v1/sessions/a/messages', 'read'],
    ['GET', '/v1/dead', 'read'],
    ['GET', '/v1/sessions/a/events', 'read'],
    ['GET', '/v1/sessions/a/history', 'read'],
    ['GET', '/v1/sessions/a/route', 'read'],
    ['PUT', '/v1/sessions/a/policy', 'operate'],
    ['PUT', '/v1/sessions/a/agent', 'operate'],
    ['POST', '/v1/sessions/a/reset', 'operate'],
    ['DELETE', '/v1/sessions/a', 'operate'],
    ['POST', `/v1/messages/${id}/cancel`, 'operate'],
    ['POST', '/v1/sessions/a/cancel', 'operate'],
    ['POST', `/v1/messages/${id}/retry`, 'operate'],
    ['POST', `/v1/messages/${id}/discard`, 'operate'],
    ['GET', '/v1/questions', 'read'],
    ['GET', '/v1/questions/ABCDEFGH', 'read'],
    ['POST', '/v1/questions/ABCDEFGH', 'approve'],
    ['GET', '/v1/tokens', 'operator'],
    ['POST', '/v1/tokens', 'operator'],
    ['DELETE', '/v1/tokens/nobody', 'operator'],
  ])('%s %s: %s', async (method, path, right) => {
    const others = scopes.filter((scope) => scope !== right);
    const without = await made('without', others);
    const refused = await ask(method, path, without);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('www-authenticate')).toBe(
      `Bearer realm="sd-gateway", error="insufficient_scope", scope="${right}"`,
    );
    if (method !== 'HEAD') {
      const needed = right === 'operator' ? 'the operator’s token' : `the scope "${right}"`;
      expect((await bodyOf(refused)).detail).toContain(needed);
    }
    const secret = right === 'operator' ? token : await made('with', [right]);
    const allowed = await ask(method, path, secret);
    expect([401, 403]).not.toContain(allowed.status);
    await allowed.body?.cancel();
  });

  it('and a post into a session of a channel, which needs "post" and "operate"', async () => {
    const post = async (session: string, granted: readonly string[]) => {
      const secret = await made(`t${granted.length}`, granted);
      const answer = await ask('POST', `/v1/sessions/${session}/messages`, secret, { text: 'hi' });
      await ask('DELETE', `/v1/tokens/t${granted.length}`, token);
      await answer.body?.cancel();
      return answer.status;
    };
    for (const session of ['irc:ada', 'irc%3Aada', 'irc:']) expect(await post(session, ['post'])).toBe(403);
    expect(await post('irc:ada', ['operate'])).toBe(403);
    expect(await post('irc:ada', ['post', 'operate'])).toBe(202);
    for (const session of ['irc', 'irc2:ada', 'my:irc:ada']) expect(await post(session, ['post'])).toBe(202);
    const own = await ask('POST', '/v1/sessions/irc:ada/messages', token, { text: 'hi' });
    expect(own.status).toBe(202);
  });

  it('and a post whose reply goes to a channel, which needs "post" and "operate"', async () => {
    const reply_to = { channel: 'irc', to: '#dev' };
    const post = async (secret: string) =>
      (await ask('POST', '/v1/sessions/a/messages', secret, { text: 'hi', reply_to })).status;
    expect(await post(await made('poster', ['post', 'read']))).toBe(403);
    expect(await post(await made('both', ['post', 'operate']))).toBe(202);
    expect(await post(token)).toBe(202);
    const form = new FormData();
    form.append('message', JSON.stringify({ text: 'hi', reply_to }));
    const authorization = `Bearer ${await made('form', ['post'])}`;
    const posted = await served.postForm('a', form, { authorization });
    expect(posted.status).toBe(403);
  });

  it('and a stream of events', async () => {
    const refused = await ask('GET', '/v1/sessions/a/events', await made('a', ['post']));
    expect(refused.status).toBe(403);
    const stream = await ask('GET', '/v1/sessions/a/events', await made('b', ['read']));
    expect(stream.status).toBe(200);
    await stream.body?.cancel();
  });

  it('which a call that is not listed has by its method', () => {
    expect(rightOf('GET', '/v1/new')).toBe('read');
    expect(rightOf('HEAD', '/v1/new')).toBe('read');
    expect(rightOf('PUT', '/v1/new')).toBe('operate');
    expect(rightOf('DELETE', '/v1/new')).toBe('operate');
  });

  it('but an address that there is not is 404 with any token', async () => {
    const secret = await made('a', ['metrics']);
    expect((await ask('GET', '/v1/nothing', secret)).status).toBe(404);
    expect((await ask('PATCH', '/v1/tokens', secret)).status).toBe(405);
  });
});

describe('a running turn', () => {
  const turn = { turnId: 'turn_1', messageId: id, session: 'chat' };

  it.each([
    ['tcp', [{ kind: 'tcp', host: '127.0.0.1', port: 0 }] as const],
    ['tcp, both families', [{ kind: 'tcp', host: '::', port: 0 }] as const],
  ])('is known by its processes, and refused what is for a person: %s', async (_name, endpoints) => {
    const seen: (readonly number[])[] = [];
    const other = await serve({
      endpoints,
      channel: {
        callerTurn: async (processes) => {
          seen.push(await processes());
          return turn;
        },
      },
    });
    try {
      const base = other.base.replace('[::]', '127.0.0.1');
      const order = (method: string, path: string) =>
        fetch(base + path, { method, headers: { authorization: `Bearer ${token}` } });
      for (const [method, path] of [
        ['POST', `/v1/messages/${id}/retry`],
        ['POST', `/v1/messages/${id}/discard`],
        ['POST', '/v1/questions/ABCDEFGH'],
        ['GET', '/v1/tokens'],
        ['POST', '/v1/tokens'],
        ['DELETE', '/v1/tokens/ci'],
      ] as const) {
        const refused = await order(method, path);
        expect(refused.status).toBe(403);
        const { type, detail } = await bodyOf(refused);
        expect(type).toBe('urn:sd-gateway:problem:within-turn');
        expect(detail).toContain('running turn turn_1 (session "chat"');
      }
      expect(seen.every((processes) => processes.includes(process.pid))).toBe(true);
      // Other calls don't ask.
      expect((await order('GET', '/v1/sessions')).status).toBe(200);
      expect(seen).toHaveLength(6);
    } finally {
      await other.dispose();
    }
  });

  it('is found in the tables of the kernel', () => {
    const row = (index: number, local: string, remote: string, inode: string) =>
      `   ${index}: ${local} ${remote} 01 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0 20 4 30 10 -1`;
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      row(0, '0100007F:221D', '0100007F:D431', '11'),
      row(1, '0100007F:D431', '0100007F:221D', '12'),
      row(2, '0100007F:D432', '0100007F:221D', '0'),
    ].join('\n');
    const server = { address: '127.0.0.1', port: 0x221d };
    const client = (port: number, address = '127.0.0.1') => ({ address, port });
    expect(connectionInode(table, client(0xd431), server)).toBe('12');
    expect(connectionInode(table, client(0xd431, '::ffff:127.0.0.1'), server)).toBe('12');
    expect(connectionInode(table, client(0xd432), server)).toBeNull();
    expect(connectionInode(table, client(0xd433), server)).toBeNull();
    expect(connectionInode('', client(1), server)).toBeNull();
  });

  it('has no process on another machine', async () => {
    const socket = { localAddress: '192.0.2.1', localPort: 1, remoteAddress: '192.0.2.2', remotePort: 2 };
    expect(await clientProcesses(socket as never)).toEqual([]);
  });
});
