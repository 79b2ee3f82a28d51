import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { run } from '../../../src/cli/client/send.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';

const id = '0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b';
let out = '';
let err = '';

beforeEach(() => {
  out = '';
  err = '';
  vi.stubEnv('SD_GATEWAY_TOKEN', 'a'.repeat(43));
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const send = (...words: readonly string[]): Promise<number> =>
  run(parseCommand(findCommand('send'), ['hello', ...words]));

/** A gateway that accepts a message; `onWait` has each request for its reply. */
async function accepting(
  onWait: (request: IncomingMessage, response: ServerResponse) => void,
  onPost: (body: string) => void = () => undefined,
): Promise<void> {
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      request.resume();
      onWait(request, response);
      return;
    }
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      onPost(body);
      response.writeHead(202).end(JSON.stringify({ id, state: 'queued' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  vi.stubEnv('SD_GATEWAY_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

describe('a reply for a channel', () => {
  it.each([
    ['irc:#dev', { channel: 'irc', to: '#dev' }],
    ['email:mailto:ada@example.org', { channel: 'email', to: 'mailto:ada@example.org' }],
  ])('is asked for with --to %s', async (to, target) => {
    const bodies: unknown[] = [];
    await accepting(
      (_request, response) => response.end(JSON.stringify({ id, state: 'replied', reply: { text: 'yes' } })),
      (body) => bodies.push(JSON.parse(body)),
    );
    expect(await send('--to', to)).toBe(0);
    expect(bodies).toEqual([{ text: 'hello', reply_to: target }]);
    expect(out).toBe('yes\n');
  });

  it.each(['irc', 'irc:', ':#dev'])('needs a channel and an address: --to %s', async (to) => {
    await expect(send('--to', to)).rejects.toThrow('--to needs CHANNEL:ADDRESS');
  });
});

it.each([
  [
    'attachments/0',
    'is larger than attachments.size_limit.',
    ['--file', 'package.json'],
    'the file package.json is larger',
  ],
  ['reply_to/channel', 'is no channel', ['--to', 'irq:#dev'], 'the channel "irq" of --to is no channel'],
  ['reply_to/to', 'is no room', ['--to', 'irc:dev'], 'the address "dev" of --to is no room'],
  ['text', 'is too long', [], '"text" is too long'],
])('names what the command line has for "%s"', async (member, reason, words, told) => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(422).end(JSON.stringify({ detail: `"${member}" ${reason}` }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  vi.stubEnv('SD_GATEWAY_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  expect(await send(...words)).toBe(1);
  expect(err).toContain(`sd-gateway: the gateway refused the message: ${told}`);
});

describe('a message that is accepted', () => {
  it('is named when the gateway goes away during the wait', async () => {
    await accepting((request) => request.destroy());
    expect(await send()).toBe(75);
    expect(err).toContain(`accepted as ${id}`);
    expect(err).toContain(`sd-gateway show ${id}`);
    expect(out).toBe('');
  });

  it('is named when the person waits no longer', async () => {
    await accepting(() => process.emit('SIGINT'));
    expect(await send()).toBe(75);
    expect(err).toContain(`accepted as ${id}`);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  it.each([
    [403, 'This call needs a token with the scope "read". The scopes of "ci" are: post.'],
    [401, 'The token is not accepted.'],
    [503, 'The store is out of order.'],
  ])('is named when the gateway answers %i to the wait', async (status, detail) => {
    await accepting((_request, response) => {
      response.writeHead(status).end(JSON.stringify({ status, detail }));
    });
    expect(await send('--json')).toBe(75);
    expect(err).toContain(`accepted as ${id}; its reply can’t be waited for: ${detail}`);
    expect(JSON.parse(out)).toMatchObject({ id, state: 'queued' });
  });

  it('is told in JSON too', async () => {
    await accepting((request) => request.destroy());
    expect(await send('--json')).toBe(75);
    expect(JSON.parse(out)).toMatchObject({ id, state: 'queued' });
  });
});

describe('a gateway that goes away behind the request', () => {
  /** The keys of the posts. `answer` has each from its number on, from 1. */
  async function hangingUp(answer: (response: ServerResponse, post: number) => void): Promise<unknown[]> {
    const keys: unknown[] = [];
    const server = createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        if (request.method === 'GET') {
          response.end(JSON.stringify({ id, state: 'replied', reply: { text: 'yes' } }));
          return;
        }
        keys.push(request.headers['idempotency-key']);
        answer(response, keys.length);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    vi.stubEnv('SD_GATEWAY_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return keys;
  }

  it('is asked again under the same key', async () => {
    const keys = await hangingUp((response, post) => {
      if (post === 1) response.socket?.destroy();
      else response.writeHead(202).end(JSON.stringify({ id, state: 'queued' }));
    });
    expect(await send()).toBe(0);
    expect(out).toBe('yes\n');
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('may have accepted the message, if it stays away', async () => {
    await hangingUp((response) => response.socket?.destroy());
    expect(await send('--wait', '1s')).toBe(75);
    expect(err).toContain('it may have accepted the message');
    expect(err).toContain('sd-gateway messages cli');
  });

  it('has not accepted what nobody has read', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    vi.stubEnv('SD_GATEWAY_URL', `http://127.0.0.1:${port}`);
    expect(await send()).toBe(69);
  });
});

describe('on a terminal', () => {
  beforeEach(() => {
    const { isTTY, columns } = process.stderr;
    Object.assign(process.stderr, { isTTY: true, columns: 80 });
    onTestFinished(() => {
      Object.assign(process.stderr, { isTTY, columns });
    });
  });

  it('shows that it waits, within the columns, and leaves nothing of that', async () => {
    await accepting((_request, response) => {
      setTimeout(() => {
        response.writeHead(200).end(JSON.stringify({ id, state: 'replied', reply: { text: 'hello' } }));
      }, 250);
    });
    expect(await send()).toBe(0);
    expect(err).toContain('Waiting for the reply');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor is looked for
    const shown = err.split('\r\u001b[K').map((line) => line.replace(/\u001b\[\d*m/g, ''));
    for (const line of shown) expect(line.length).toBeLessThanOrEqual(80);
    expect(shown.at(-1)).toBe('');
    expect(out).toBe('hello\n');
  });
});
