import { afterAll, beforeAll, expect, it } from 'vitest';
import { Place } from '../foreground.js';

let place: Place;
beforeAll(async () => {
  place = new Place();
  await place.start();
});
afterAll(() => {
  place.remove();
});

const accept = async (session: string, text: string): Promise<string> => {
  const answer = await place.client.post(`/v1/sessions/${session}/messages`, { text }, {});
  const id = String(answer.body?.['id']);
  await place.client.get(`/v1/messages/${id}?wait=10`, 20_000);
  return id;
};

it('lists sessions and the messages of one, and shows one with its reply', async () => {
  const long = `first line\n${'x'.repeat(300)}`;
  const id = await accept('chat', long);
  const other = await accept('other', 'hello');

  const sessions = await place.run(['sessions']);
  expect(sessions.status).toBe(0);
  expect(sessions.stdout.split('\n').map((line) => line.split('  ').at(-1))).toEqual(['chat', 'other', '']);

  const messages = await place.run(['messages', 'chat']);
  expect(messages.status).toBe(0);
  // A pipe gets the whole text.
  expect(messages.stdout).toMatch(new RegExp(`^${id}  \\S+  \\w+ +first line x{300}\n$`));

  const shown = await place.run(['show', other]);
  expect(shown.status).toBe(0);
  expect(shown.stdout).toMatch(/^ {3}Message: /);
  expect(shown.stdout).toContain('Session: other, number 1\n');
  expect(shown.stdout).toContain('Reply: hello\n');

  const json = await place.run(['show', other, '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ id: other, session: 'other', reply: { text: 'hello' } });
});

it('prints the token that the gateway takes', async () => {
  const { stdout, status } = await place.run(['token', 'show']);
  expect(status).toBe(0);
  const taken = await place.run(['sessions'], { SD_GATEWAY_TOKEN: stdout.trim() });
  expect(taken.status).toBe(0);
});

it('says so where there is no such session or message', async () => {
  const session = await place.run(['messages', 'nobody']);
  expect(session.status).toBe(1);
  expect(session.stderr).toContain('refused to list the messages of nobody: ');
  const message = await place.run(['show', '0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b']);
  expect(message.status).toBe(1);
  expect(message.stderr).toMatch(/refused to show 0193a1b2/);
});
