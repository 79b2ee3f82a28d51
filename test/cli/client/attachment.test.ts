import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import Database from '../../support/sqlite.mjs';
import { type Gateway, Place } from '../foreground.js';

/** Replies with the first file in capital letters. */
const script = `
read -r line
file=$(printf '%s' "$line" | sed 's/.*"file":"\\([^"]*\\)".*/\\1/')
tr a-z A-Z <"$file" >loud.txt
echo '{"type":"file","path":"loud.txt"}'
echo '{"type":"reply","text":"done"}'
`;
const environment = {
  SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', script]),
  SD_GATEWAY_AGENT_OUTPUT: 'jsonl',
  SD_GATEWAY_ATTACHMENTS_FILE_LIMIT: '1M',
};

let place: Place;
let gateway: Gateway;
beforeAll(async () => {
  place = new Place();
  gateway = await place.start(environment);
});
afterAll(() => place.remove());

const path = (name: string) => join(place.directory, name);

function storedFiles(): readonly { readonly message: number | null }[] {
  const database = new Database(path('state/gateway.db'), { readonly: true });
  try {
    return database
      .prepare<[], { message: number | null }>('SELECT message FROM blobs ORDER BY number')
      .all();
  } finally {
    database.close();
  }
}

it('sends files, shows them, and saves those of the reply', async () => {
  writeFileSync(path('my notes.txt'), 'a word');
  const sent = await place.run(['send', '--file', path('my notes.txt'), 'shout']);
  expect(sent).toMatchObject({ status: 0, stdout: 'done\n' });
  const [, id = ''] = /attachment --reply (\S+) 1\n/.exec(sent.stderr) ?? [];
  const shown = await place.run(['show', id]);
  expect(shown.stdout).toContain('Files: 1. my notes.txt (text/plain, 6 bytes)\n');
  expect(shown.stdout).toContain('Its files: 1. loud.txt (text/plain, 6 bytes)\n');

  const saved = await place.run(['attachment', '--reply', '-o', path('loud.txt'), id]);
  expect(saved).toMatchObject({ status: 0, stdout: '' });
  expect(readFileSync(path('loud.txt'), 'utf8')).toBe('A WORD');
  const again = await place.run(['attachment', '-o', path('loud.txt'), id]);
  expect(again.status).toBe(1);
  expect(again.stderr).toContain('it is there already');
  expect(readFileSync(path('loud.txt'), 'utf8')).toBe('A WORD');
  expect(await place.run(['attachment', '-o', '-', id])).toMatchObject({ status: 0, stdout: 'a word' });
  expect((await place.run(['attachment', id, '2'])).stderr).toContain('has 1 file: there is no number 2');
});

it('sends nothing if a file can’t be read, and says what the gateway does not take', async () => {
  const missing = await place.run(['send', '--file', path('missing'), 'x']);
  expect(missing).toMatchObject({ status: 1, stdout: '' });
  expect(missing.stderr).toMatch(/ENOENT.*missing.*Nothing was sent/);
  expect((await place.run(['send', '--file', place.directory, 'x'])).stderr).toContain('is a directory');
  writeFileSync(path('large'), Buffer.alloc(8 * 1024 ** 2));
  const large = await place.run(['send', '--file', path('large'), 'x']);
  expect(large.status).toBe(1);
  expect(large.stderr).toContain('is larger than 1048576 bytes (attachments.file_limit)');
});

it('goes on after a crash between a file and its message as if nothing had come', async () => {
  const before = storedFiles().length;
  const token = readFileSync(path('state/token'), 'utf8').trim();
  const begin =
    '--x\r\nContent-Disposition: form-data; name="message"\r\n\r\n{"text":"x"}\r\n' +
    '--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n';
  const upload = request({
    socketPath: path('http.sock'),
    method: 'POST',
    path: '/v1/sessions/crash/messages',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=x' },
  });
  upload.on('error', () => undefined);
  upload.write(begin + 'a'.repeat(300_000));
  await expect.poll(() => storedFiles().length, { timeout: 15_000 }).toBe(before + 1);
  gateway.child.kill('SIGKILL');
  await gateway.end;
  // A copy for a turn that the crash has ended.
  const copy = path('state/agents/files/left/1/f');
  mkdirSync(dirname(copy), { recursive: true });
  writeFileSync(copy, 'a');

  gateway = await place.start(environment);
  expect(existsSync(copy)).toBe(false);
  expect(storedFiles().at(-1)).toEqual({ message: null });
  expect((await place.run(['messages', 'crash'])).status).toBe(1);
  writeFileSync(path('f'), 'a'.repeat(400_000));
  const sent = await place.run(['send', '--session', 'crash', '--file', path('f'), 'x']);
  expect(sent).toMatchObject({ status: 0, stdout: 'done\n' });
  expect(
    storedFiles()
      .slice(before + 1)
      .every(({ message }) => message !== null),
  ).toBe(true);
});
