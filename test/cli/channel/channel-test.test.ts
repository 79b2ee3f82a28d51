import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { Place } from '../foreground.js';

const example = fileURLToPath(new URL('../../../examples/channel.py', import.meta.url));
let place: Place;

beforeEach(() => {
  place = new Place();
  onTestFinished(() => place.remove());
});

/** The verdicts by the names of the checks. */
function verdictsOf(stdout: string): Record<string, string> {
  const { checks } = JSON.parse(stdout) as { checks: readonly { name: string; verdict: string }[] };
  return Object.fromEntries(checks.map(({ name, verdict }) => [name, verdict]));
}

test('the example passes, also with a message that comes, which is a file', async () => {
  const chats = join(place.directory, 'chats');
  mkdirSync(join(chats, 'dev/in'), { recursive: true });
  writeFileSync(join(chats, 'dev/in/.m1'), Buffer.from([0xff, 0, 0xff]));
  renameSync(join(chats, 'dev/in/.m1'), join(chats, 'dev/in/m1'));
  const words = [
    'channel',
    'test',
    '--json',
    '--to',
    'dev',
    '--wait',
    '10s',
    '--',
    'python3',
    example,
    chats,
    'ada',
  ];
  const { status, stdout, stderr } = await place.run(words);
  expect(stderr).toBe('Write a message to the channel within 10 s.\n');
  expect(verdictsOf(stdout)).toEqual({
    start: 'ok',
    health: 'ok',
    'unknown lines': 'ok',
    pause: 'ok',
    send: 'ok',
    'send again': 'skipped',
    reconcile: 'ok',
    'killed while it sends': 'ok',
    'killed before a message is stored': 'ok',
    'stop and end': 'ok',
    lines: 'ok',
  });
  expect(status).toBe(0);
});

test.each([
  [['/nope'], 1, 'check that PROGRAM names a program that exists'],
  [['python3', '-c', 'print(input())'], 1, 'instead a line came that the protocol does not know: '],
])('%j is said to be no channel', async (words, status, said) => {
  const result = await place.run(['channel', 'test', '--', ...words]);
  expect(result.status).toBe(status);
  expect(`${result.stdout}${result.stderr}`).toContain(said);
});

test('one that says what is not so, writes what it likes and does not end fails', async () => {
  const bad = `
import json, sys, time
for text in sys.stdin:
    line = json.loads(text)
    if line["type"] == "start":
        print("connecting ...", flush=True)
        print(json.dumps({"type": "ready", "protocol": 1, "capabilities": ["reconcile"]}), flush=True)
    elif line["type"] == "health":
        print(json.dumps({"type": "healthy", "id": line["id"]}), flush=True)
    elif "id" in line:
        print(json.dumps({"type": "sent", "id": line["id"]}), flush=True)
time.sleep(60)
`;
  const words = ['channel', 'test', '--json', '--to', 'dev', '--', '/usr/bin/python3', '-c', bad];
  const { status, stdout } = await place.run(words);
  expect(verdictsOf(stdout)).toMatchObject({
    start: 'ok',
    send: 'ok',
    reconcile: 'failed',
    'stop and end': 'failed',
    lines: 'failed',
  });
  expect(status).toBe(1);
});

test('one that ends at once fails, and one that is not there can’t be tried', async () => {
  const ends = await place.run(['channel', 'test', '--', '/bin/sh', '-c', 'echo no route >&2; exit 3']);
  expect(ends.stdout).toMatch(/^failed {2}start: it exited with status 3; .*no route/m);
  expect(ends.status).toBe(1);
  const away = await place.run(['channel', 'test', '--', '/nonexistent/channel']);
  expect(away.stderr).toContain('"/nonexistent/channel" could not be started');
  expect(away.status).toBe(1);
});

test('one whose file is not below its directory fails', async () => {
  const bad = `
import json, sys
for text in sys.stdin:
    line = json.loads(text)
    if line["type"] == "start":
        print(json.dumps({"type": "ready", "protocol": 1}), flush=True)
        message = {"id": "1", "chat": "dev", "person": "ada", "text": "", "attachments": [{"path": "/etc/hostname"}]}
        print(json.dumps({"type": "inbound", **message}), flush=True)
    elif line["type"] == "health":
        print(json.dumps({"type": "healthy", "id": line["id"]}), flush=True)
`;
  const words = ['channel', 'test', '--json', '--wait', '5s', '--', '/usr/bin/python3', '-c', bad];
  const { stdout } = await place.run(words);
  expect(verdictsOf(stdout)).toMatchObject({ 'killed before a message is stored': 'failed' });
  expect(stdout).toContain("can't be read below the program's directory");
});
