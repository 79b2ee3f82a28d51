import { appendFileSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Place } from '../foreground.js';

const program = fileURLToPath(new URL('../../support/channel-program.py', import.meta.url));

let place: Place;
let platform: string;

const sent = () => readFileSync(join(platform, 'out'), 'utf8');

/** Somebody writes on the platform. Resolves with what was sent since that is so. */
async function writes(members: object, answer: RegExp): Promise<string> {
  const before = sent().length;
  appendFileSync(join(platform, 'in'), `${JSON.stringify(members)}\n`);
  return new Promise((resolve) => {
    const look = () => {
      const found = answer.exec(sent().slice(before));
      if (found === null) return;
      watcher.close();
      resolve(found[1] ?? found[0]);
    };
    const watcher = watch(platform, look);
    look();
  });
}

const json = async (...words: readonly string[]) =>
  JSON.parse((await place.run(['people', ...words, '--json'])).stdout);

beforeAll(async () => {
  place = new Place();
  platform = join(place.directory, 'state/channels/chat');
  mkdirSync(platform, { recursive: true });
  for (const name of ['in', 'out', 'acked']) writeFileSync(join(platform, name), '');
  mkdirSync(join(place.directory, 'etc'));
  const texts = join(place.directory, 'texts.toml');
  writeFileSync(texts, 'reset = "Von vorn."\n');
  const command = ['/usr/bin/python3', program, '.', 'reconcile'];
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[channels.chat]
type = "command"
command = ${JSON.stringify(command)}
owners = ["olga"]
texts = ${JSON.stringify(texts)}
`,
  );
  await place.start();
});
afterAll(() => {
  place.remove();
});

const eve = { person: 'eve', name: 'Eve\u001b[2J\u202E', chat: 'eve', group: false };

it('lets a stranger in by a code, whose messages are answered then, until the person is forgotten', async () => {
  expect((await place.run(['people'])).stdout).toBe('chat  olga  owner by the configuration\n');
  const code = await writes({ ...eve, text: 'hello' }, /say_\S+ .*code to the operator: (\S{4}-\S{4})\./);
  const listed = await place.run(['people', 'list']);
  expect(listed.stdout).toMatch(/^chat {2}eve {2}"Eve \[2J" {2}waits with a code, until \S+Z$/m);
  const guessed = await place.run(['people', 'accept', 'AAAA-AAAA']);
  expect(guessed.stderr).toContain('Nobody waits with this code');
  expect(guessed.status).toBe(1);
  const accepted = await place.run(['people', 'accept', code.toLowerCase()]);
  expect(accepted.stdout).toBe('eve "Eve [2J" may write by chat, as user\n');
  await writes({ ...eve, text: 'hello' }, /msg_\S+ hello/);
  await writes({ ...eve, text: '/reset' }, /say_\S+ Von vorn\./);
  await writes({ ...eve, text: '/agent other' }, /say_\S+ You may not do that/);
  await writes({ ...eve, text: '//reset' }, /msg_\S+ \/reset/);
  expect(await json('list')).toMatchObject({
    version: 1,
    allowed: [
      { channel: 'chat', id: 'olga', role: 'owner', configured: true },
      { channel: 'chat', id: 'eve', name: 'Eve [2J', role: 'user', configured: false },
    ],
    waiting: [],
  });
  const session = await place.run(['session', 'show', 'chat:eve', '--json']);
  expect(JSON.parse(session.stdout)).toMatchObject({ generation: 2 });

  expect((await place.run(['people', 'forget', 'eve'])).stderr).toContain('needs --yes');
  const forgotten = await place.run(['people', 'forget', 'eve', '--yes']);
  expect(forgotten.stdout).toBe('Forgot eve of chat: 1 session deleted\n');
  expect((await place.run(['session', 'show', 'chat:eve'])).stderr).toContain(
    'There is no session "chat:eve": no message came for it, or it was deleted.',
  );
  await writes({ ...eve, text: 'hello' }, /code to the operator/);
});

it('hears in a group those who are addressed, and has an owner’s name before the text', async () => {
  const olga = { person: 'olga', name: 'Olga: I', chat: '#dev', group: true };
  appendFileSync(join(platform, 'in'), `${JSON.stringify({ ...olga, text: 'not for it' })}\n`);
  await writes({ ...olga, text: 'for it', addressed: true }, /msg_\S+ Olga I: for it/);
  await writes({ ...olga, text: '/status', addressed: true }, /say_\S+ Agent: default\. Working: no\./);
  expect(sent()).not.toContain('not for it');
});

it.each([
  [['accept'], 64, /accept needs the code/],
  [['forget'], 64, /forget needs the id/],
  [['list', 'x'], 64, /list takes no more words/],
  [['list', '--owner'], 64, /--owner goes with accept/],
  [['accept', 'x', '--channel', 'chat'], 64, /--channel goes with forget/],
  [['forget', 'nobody', '--channel', 'none', '--yes'], 1, /The channel none does not know this person\./],
])('people %j ends with %i', async (words, status, text) => {
  const ended = await place.run(['people', ...words]);
  expect(ended.stderr).toMatch(text);
  expect(ended.status).toBe(status);
});
