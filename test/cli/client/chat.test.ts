import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Place, program } from '../foreground.js';

let place: Place;
beforeAll(async () => {
  place = new Place();
  mkdirSync(join(place.directory, 'etc'), { recursive: true });
  const script = 'read -r text; [ "$text" = fail ] && exit 3; echo "you said $text"';
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[dispatch]\nmax_attempts = 1\n[agent]\ninput = "text"\ncommand = ["/bin/sh", "-c", ${JSON.stringify(script)}]\n`,
  );
  await place.start();
});
afterAll(() => {
  place.remove();
});

it('sends each line of a pipe, and prints the replies alone', async () => {
  const { status, stdout, stderr } = await place.run(['chat', '--session', 's'], {}, 'hello\n\nand again');
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: 'you said hello\nyou said and again\n',
    stderr: '',
  });
});

it('goes on after a message that is dead, and tells of it', async () => {
  const { status, stdout, stderr } = await place.run(['chat', '--session', 's'], {}, 'fail\nnext\n');
  expect(stdout).toBe('you said next\n');
  expect(stderr).toContain('sd-gateway: the message is dead: the command exited with status 3');
  expect(status).toBe(1);
});

it('sends a file with the next message, in a terminal', async () => {
  const path = join(place.directory, 'a photo.png');
  writeFileSync(path, 'picture');
  const command = `${process.execPath} ${program} chat --session terminal`;
  // script(1) is the terminal.
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: place.environment });
  const ended = once(terminal, 'close');
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  terminal.stdin.write(`/file ${path}.gone\n/file ${path}\nwhat is it\n`);
  await vi.waitFor(() => expect(shown).toContain('you said what is it'), 15_000);
  // An empty line sends nothing by itself, and files alone.
  terminal.stdin.write(`\n/file ${path}\n\n`);
  await vi.waitFor(() => expect(shown).toMatch(/you said \S+a photo\.png/), 15_000);
  terminal.stdin.end('/quit\n');
  await ended;
  expect(shown).toMatch(/ENOENT/);
  expect(shown).toContain('It goes with the next message.');
  const { body } = await place.client.get('/v1/sessions/terminal/messages');
  expect(body?.['items']).toMatchObject([
    { text: 'what is it', attachments: [{ name: 'a photo.png', media_type: 'image/png', size: 7 }] },
    { text: '', attachments: [{ name: 'a photo.png', media_type: 'image/png', size: 7 }] },
  ]);
});
