import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askFacts } from '../../../src/channels/control/ask-facts.js';
import { controlSocketOf, namedByDirectory } from '../../../src/cli/client/locate.js';
import { workOf } from '../../../src/cli/operate/wait.js';
import { gateway, unit } from './samples.js';

describe('the control socket', () => {
  it.each([
    ['system', null, null, /^\/run\/sd-gateway\/control\.sock$/],
    ['system', 'a', null, /^\/run\/sd-gateway-a\/control\.sock$/],
    ['system', null, unit({ runtimeDirectory: 'other' }), /^\/run\/other\/control\.sock$/],
    // The gateway puts it into the state directory then, unless it is root.
    ['system', null, unit({ runtimeDirectory: null, user: 'g' }), /^\/var\/lib\/sd-gateway\/control\.sock$/],
    ['system', null, unit({ runtimeDirectory: null, user: 'root' }), /^\/run\/sd-gateway\/control\.sock$/],
    ['system', null, unit({ runtimeDirectory: null, user: '0' }), /^\/run\/sd-gateway\/control\.sock$/],
    ['system', null, unit({ runtimeDirectory: null, user: null }), /^\/run\/sd-gateway\/control\.sock$/],
    [
      'system',
      null,
      unit({ runtimeDirectory: null, user: null, dynamicUser: true }),
      /^\/var\/lib\/sd-gateway\/control\.sock$/,
    ],
    [
      'user',
      null,
      unit({ scope: 'user', runtimeDirectory: 'own' }),
      /^\/run\/user\/\d+\/own\/control\.sock$/,
    ],
  ] as const)('in the scope %s of the instance %s', (scope, instance, ofUnit, path) => {
    const environment = { ...process.env };
    delete process.env['RUNTIME_DIRECTORY'];
    delete process.env['XDG_RUNTIME_DIR'];
    try {
      expect(controlSocketOf({ scope, instance }, ofUnit)).toMatch(path);
    } finally {
      process.env = environment;
    }
  });

  it.each([
    [{}, false],
    [{ RUNTIME_DIRECTORY: '' }, false],
    [{ RUNTIME_DIRECTORY: '/run/a' }, true],
  ])('is named by %j: %j', (environment, named) => {
    expect(namedByDirectory(environment)).toBe(named);
  });
});

describe('the facts', () => {
  let directory: string;
  let path: string;
  let server: Server | null;
  const sockets = new Set<Socket>();

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sd-gateway-facts-'));
    path = join(directory, 'control.sock');
    server = null;
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
    rmSync(directory, { recursive: true });
  });

  /** Somebody who answers each request with the text, piece by piece. */
  async function answering(...pieces: readonly string[]): Promise<string[]> {
    const requests: string[] = [];
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (request) => {
        requests.push(request.toString());
        for (const piece of pieces) socket.write(piece);
      });
    });
    await new Promise<void>((resolve) => server?.listen(path, resolve));
    return requests;
  }

  it('are told, however they arrive', async () => {
    const line = `${JSON.stringify({ event: 'facts', facts: gateway() })}\n`;
    const requests = await answering(
      '{"event":"accepted","pid":1,"unit":null}\n',
      line.slice(0, 100),
      line.slice(100),
    );
    expect(await askFacts(path)).toEqual({ outcome: 'told', facts: gateway() });
    expect(requests).toEqual(['{"request":"facts"}\n']);
  });

  it.each([
    ['only the user that the gateway runs as, and root, may give orders', 'forbidden', /only the user/],
    ['no request that is known: …', 'unanswered', /of an earlier version/],
    ['something', 'unanswered', /refused: something/],
  ])('are refused: %s', async (reason, outcome, text) => {
    await answering(`${JSON.stringify({ event: 'refused', reason })}\n`);
    expect(await askFacts(path)).toEqual({ outcome, reason: expect.stringMatching(text) });
  });

  it('are not waited for longer than that', async () => {
    await answering();
    expect(await askFacts(path, 20)).toEqual({
      outcome: 'unanswered',
      reason: expect.stringMatching(/did not answer at .* within 20 ms/),
    });
  });

  it('are none where nobody is, or somebody else', async () => {
    expect(await askFacts(path)).toEqual({ outcome: 'absent', reason: expect.stringMatching(/ENOENT/) });
    await answering('HTTP/1.1 400 Bad Request\n');
    expect(await askFacts(path)).toEqual({
      outcome: 'unanswered',
      reason: expect.stringMatching(/no answer that/),
    });
  });

  it('tell what work there is; else the status line does', async () => {
    const work = {
      sessions: 1,
      queued: 4,
      running: 2,
      replied: 0,
      delivered: 0,
      dead: 0,
      cancelled: 0,
      collected: 0,
      undelivered: 0,
    };
    const line = 'Ready: 1 session, 0 running, 1 waiting, 0 answered, 0 failed';
    expect(await workOf(path, async () => line)).toEqual({ running: 0, waiting: 1 });
    await answering(`${JSON.stringify({ event: 'facts', facts: gateway({ work }) })}\n`);
    expect(await workOf(path, async () => line)).toEqual({ running: 2, waiting: 4 });
  });
});
