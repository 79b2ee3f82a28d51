import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { agentFile } from '../../support/agent-request.js';
import { listenForTurns, serveProgram } from '../../support/agent-socket.js';
import { failure, Place, said, turn } from './fixture.js';

const program = fileURLToPath(new URL('../../support/acp-agent.mjs', import.meta.url));

/** The agent with faults, at the other end of a connection, in a home of its own. */
async function connected(fault: object = {}) {
  const home = mkdtempSync(join(tmpdir(), 'connected-home-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const connect = await serveProgram('acp', [process.execPath, program, JSON.stringify(fault)], {
    ...process.env,
    HOME: home,
  });
  const place = new Place();
  return { place, agent: place.agent({}, { connect, cwd: home, killDelay: 5_000 }), home };
}

test('an agent at the other end of a connection has its turns, one after the other', async () => {
  const { agent, home, place } = await connected();
  expect(await said(agent, 'say hello')).toBe('hello');
  expect(await said(agent, 'env HOME')).toBe(home);
  // It is no process of the gateway's, by which a caller could be told to be part of the turn.
  expect(await said(agent, 'env SD_GATEWAY_SESSION')).toBe('undefined');
  expect(place.processes.size).toBe(0);
});

test('the files of a message are in its prompt, as it can read no copies', async () => {
  const { agent, home, place } = await connected({ images: true });
  const files = [
    agentFile('a.png', 'picture', 'image/png'),
    agentFile('b.txt', 'words'),
    agentFile('c.zip', 'packed', 'application/zip'),
  ];
  await turn(agent, 'say seen', { files });
  const lines = readFileSync(join(home, 'acp-journal'), 'utf8').trim().split('\n');
  const prompt = lines.map((line) => JSON.parse(line)).find(({ method }) => method === 'session/prompt');
  expect(prompt.params.prompt.slice(1)).toEqual([
    { type: 'image', mimeType: 'image/png', data: Buffer.from('picture').toString('base64') },
    { type: 'text', text: 'File "b.txt" (text/plain):\n\nwords' },
    { type: 'text', text: expect.stringContaining('The file "c.zip"') },
  ]);
  expect(existsSync(join(place.directory, 'files'))).toBe(false);
});

test('a cancel ends it, and the next turn has its session again', async () => {
  const { agent, place } = await connected({ resume: true, stubborn: true });
  expect(await said(agent, 'say hello')).toBe('hello');
  const controller = new AbortController();
  const ended = turn(agent, ['say begun', 'hang'], {}, controller.signal);
  setTimeout(() => controller.abort(), 100);
  expect((await ended).error).toMatchObject({ reason: 'cancelled' });
  expect(await said(agent, 'say again')).toBe('again');
  expect(place.log.records.filter(({ priority }) => priority === 'warning')).toEqual([]);
});

test('one that dies fails its turn', async () => {
  const { agent } = await connected();
  expect(await failure(agent, ['say begun', 'die 3'])).toMatchObject({
    reason: 'failed',
    message: expect.stringMatching(/closed the connection: see the journal of its unit$/),
  });
  expect(await said(agent, 'say again')).toBe('again');
});

test('one that can’t be reached, or closes at once, has done nothing', async () => {
  const gone = new Place().agent({}, { connect: 'unix:/nonexistent/s', cwd: '/' });
  expect(await failure(gone, 'say hello')).toMatchObject({ reason: 'unavailable' });
  const connect = await listenForTurns((socket) => socket.destroy());
  const closed = new Place().agent({}, { connect, cwd: '/' });
  expect(await failure(closed, 'say hello')).toMatchObject({ reason: 'unavailable' });
});
