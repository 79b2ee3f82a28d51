import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

it('makes a token that may do what it was made for, until it is revoked', async () => {
  const made = await place.run(['token', 'add', 'ci', '--scope', 'post,read']);
  expect(made.stdout).toMatch(/^[\w-]{43}\n$/);
  expect(made.status).toBe(0);
  const own = { SD_GATEWAY_TOKEN: made.stdout.trim() };

  const sent = await place.run(['send', 'hello'], own);
  expect(sent.stdout).toBe('hello\n');
  const listed = await place.run(['token', 'list']);
  expect(listed.stdout).toMatch(/^ci {2}\S+Z {2}post,read\n$/);
  const json = JSON.parse((await place.run(['token', 'list', '--json'])).stdout);
  expect(json).toMatchObject({ version: 1, tokens: [{ name: 'ci', scopes: ['post', 'read'] }] });

  const refused = await place.run(['cancel', '--session', 'cli'], own);
  expect(refused.stderr).toContain('This call needs a token with the scope "operate".');
  expect(refused.status).toBe(77);
  expect((await place.run(['token', 'list'], own)).status).toBe(77);

  const again = await place.run(['token', 'add', 'ci', '--scope', 'read']);
  expect(again.stderr).toContain('There is a token "ci"');
  expect(again.status).toBe(1);

  const revoked = await place.run(['token', 'revoke', 'ci']);
  expect(revoked.stdout).toBe('Revoked ci\n');
  const late = await place.run(['send', 'hello'], own);
  expect(late.stderr).toContain('does not accept the token');
  expect(late.status).toBe(77);
  expect((await place.run(['token', 'list'])).stdout).toBe('There is no token but the operator’s\n');
});

it('names the restart that makes a new token, if the file was removed under the gateway', async () => {
  const other = new Place();
  await other.start();
  const file = join(other.directory, 'state/token');
  rmSync(file);
  for (const words of [
    ['token', 'show'],
    ['send', 'x'],
  ]) {
    const { status, stderr } = await other.run(words);
    expect(status).toBe(69);
    expect(stderr).toMatch(/The gateway runs, and its token file is gone\. Restart it.*sd-gateway restart/);
    expect(stderr).not.toContain('install');
  }
  other.remove();
});

it.each([
  [['add'], 64, /add needs the name of a token/],
  [['add', 'x'], 64, /add needs --scope/],
  [['add', 'x', '--scope', 'read,all'], 1, /the scope "all" must be one of post, read/],
  [['list', 'x'], 64, /list takes no name/],
  [['show', '--scope', 'read'], 64, /--scope goes with add/],
  [['revoke', 'nobody'], 1, /There is no token "nobody"/],
])('token %j ends with %i', async (words, status, text) => {
  const ended = await place.run(['token', ...words]);
  expect(ended.stderr).toMatch(text);
  expect(ended.status).toBe(status);
});

it('names no restart while there is a token file that can’t be used: the gateway would not come back', async () => {
  const other = new Place();
  await other.start();
  const file = join(other.directory, 'state/token');
  chmodSync(file, 0o640);
  const open = await other.run(['token', 'show']);
  writeFileSync(file, '');
  chmodSync(file, 0o600);
  const empty = await other.run(['token', 'show']);
  other.remove();
  expect(open.stderr).toContain('is open to other users (mode 0640). If nobody has read it: chmod 600');
  expect(empty.stderr).toContain('is empty; write one into it, or remove the file');
  for (const { status, stderr } of [open, empty]) {
    expect(status).toBe(69);
    expect(stderr).not.toMatch(/gone|sd-gateway restart/);
  }
});
