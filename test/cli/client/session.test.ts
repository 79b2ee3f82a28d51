import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Place, program } from '../foreground.js';

let place: Place;
beforeAll(async () => {
  place = new Place();
  await place.start();
});
afterAll(() => {
  place.remove();
});

it('chooses the agent of a session, begins it anew and deletes it', async () => {
  const answer = await place.client.post('/v1/sessions/chat/messages', { text: 'hello' }, {});
  await place.client.get(`/v1/messages/${answer.body?.['id']}?wait=10`, 20_000);

  expect(await place.run(['route', 'chat'])).toMatchObject({
    status: 0,
    stdout: 'chat: default, as it was chosen for the session before\n',
  });
  expect((await place.run(['route', 'new'])).stdout).toBe(
    'new: default, as no [[route]] of the configuration fits\n',
  );
  expect((await place.run(['session', 'set', 'chat', '--agent', 'default'])).stdout).toBe(
    'chat has the agent default from its next turn on\n',
  );
  const wrong = await place.run(['session', 'set', 'chat', '--agent', 'other']);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain('is no agent of the configuration: default');
  expect((await place.run(['session', 'reset', 'chat'])).stdout).toBe(
    'chat begins anew with its next message (generation 2)\n',
  );
  const shown = await place.run(['session', 'show', 'chat', '--json']);
  expect(JSON.parse(shown.stdout)).toMatchObject({ session: 'chat', agent: 'default', generation: 2 });

  const unasked = await place.run(['session', 'delete', 'chat']);
  expect(unasked.status).toBe(64);
  expect(unasked.stderr).toContain('delete needs --yes');
  const command = `${process.execPath} ${program} session delete chat`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: place.environment });
  let said = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (/replies and files\?/.test(text)) terminal.stdin.write('n\n');
  });
  const [status] = await once(terminal, 'close');
  expect(status).toBe(1);
  expect(said).toContain('nothing was deleted');
  expect((await place.run(['session', 'delete', 'chat', '--yes'])).stdout).toBe('Deleted chat\n');
  expect((await place.run(['session', 'show', 'chat'])).status).toBe(1);
});

it.each([
  [['session', 'rest', 'a'], 'unknown action "rest"; did you mean "reset"?'],
  [['session', 'set', 'a'], 'set needs --agent NAME'],
  [['session', 'reset', 'a', '--agent', 'b'], '--agent goes with set'],
])('%j is refused', async (words, reason) => {
  const { status, stderr } = await place.run(words);
  expect(status).toBe(64);
  expect(stderr).toContain(reason);
});
