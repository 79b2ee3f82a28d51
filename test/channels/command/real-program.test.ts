import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';

const standIn = fileURLToPath(new URL('../../support/channel-program.py', import.meta.url));
const example = fileURLToPath(new URL('../../../examples/channel.py', import.meta.url));

function configured(command: readonly string[], keys = ''): Place {
  const place = new Place();
  onTestFinished(() => place.remove());
  mkdirSync(join(place.directory, 'etc'));
  const table = `[channels.chat]\ntype = "command"\ncommand = ${JSON.stringify(command)}\nallow = ["ada"]\n${keys}`;
  writeFileSync(join(place.directory, 'etc/sd-gateway.toml'), table);
  return place;
}

/** Resolves once it is true of the files in the directory. */
function until(directory: string, isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!isSo()) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(directory, look);
    look();
  });
}

/** A few, as each takes a second or two; `npm run test:all` takes all. */
const points = [
  ['between-parts', 'gateway'],
  ['after-sent', 'program'],
  ['after-sent', 'gateway'],
  ['between-parts', 'program'],
  ['after-stored', 'gateway'],
  ['after-inbound', 'program'],
  ['before-inbound', 'gateway'],
  ['before-sent', 'program'],
].slice(0, process.env['PROPERTY_FACTOR'] === undefined ? 2 : 8);

test('nothing is lost or doubled, wherever the program or the gateway is killed', {
  timeout: 60_000,
}, async () => {
  const place = configured(['/usr/bin/python3', standIn, '.', 'reconcile']);
  const platform = join(place.directory, 'state/channels/chat');
  mkdirSync(platform, { recursive: true });
  const file = (name: string) => join(platform, name);
  for (const name of ['in', 'out', 'acked']) writeFileSync(file(name), '');
  let messages = 0;
  // The program takes 40 bytes at once.
  const parts = (number: number) => [`Hello ${number} and the first half of it.`, 'And the second half.'];
  const post = (count: number) => {
    for (let left = count; left > 0; left -= 1)
      appendFileSync(file('in'), `${parts(++messages).join(' ')}\n`);
  };
  const lines = (name: string) => readFileSync(file(name), 'utf8').split('\n').slice(0, -1);
  const answered = () => until(platform, () => lines('out').length >= 2 * messages);

  let gateway: Gateway = await place.start();
  post(3);
  await answered();
  for (const [point, victim] of points) {
    writeFileSync(file('die'), `${point} ${victim}`);
    post(3);
    await until(platform, () => !existsSync(file('die')));
    if (victim === 'gateway') {
      expect((await gateway.end).signal).toBe('SIGKILL');
      gateway = await place.start();
    }
    await answered();
  }
  gateway.child.kill('SIGTERM');
  const { status } = await gateway.end;
  // Nobody here is a supervisor: a stop by a stranger is a failure, and an orderly one.
  expect(status).toBe(1);
  const texts = lines('out').map((line) => line.slice(line.indexOf(' ') + 1));
  expect(texts).toEqual(Array.from({ length: messages }, (_, index) => parts(index + 1)).flat());
});

test('a channel that is down is in the status, with its reason once', async () => {
  const place = configured(['/bin/false']);
  const gateway = await place.start();
  await gateway.says('did not start: the program exited with status 1');
  const { stdout } = await place.run(['status'], { COLUMNS: '200' });
  expect(stdout).toMatch(/Status: .*; channel chat is down\n/);
  expect(stdout).toMatch(/Channel: "chat" is down, for .* by now: the program exited with status 1/);
  expect(stdout.split('exited with status 1')).toHaveLength(2);
});

test('the example is a channel, and its secret is in no argument and no environment', async () => {
  const place = configured(
    ['/usr/bin/python3', example, '.', 'ada'],
    `token_file = ${JSON.stringify('SECRET')}\n`,
  );
  const secret = join(place.directory, 'secret');
  writeFileSync(secret, 's3cret-of-the-channel', { mode: 0o600 });
  const configuration = join(place.directory, 'etc/sd-gateway.toml');
  writeFileSync(configuration, readFileSync(configuration, 'utf8').replace('SECRET', secret));
  const chat = join(place.directory, 'state/channels/chat/dev');
  mkdirSync(join(chat, 'in'), { recursive: true });
  mkdirSync(join(chat, 'out'));
  const gateway = await place.start({ HTTPS_PROXY: 'http://proxy.example' });
  await gateway.says('is ready (PID');
  const pid = /is ready \(PID (\d+)\)/.exec(gateway.said)?.[1];
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').slice(0, -1);
  expect(environment.map((each) => each.split('=')[0]).toSorted()).toEqual([
    'HOME',
    'LANG',
    'PATH',
    'SD_GATEWAY_MARK',
  ]);
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('s3cret');
  writeFileSync(join(chat, 'in/.one'), '');
  writeFileSync(join(chat, 'in/one'), 'hello');
  await until(join(chat, 'out'), () => readdirSync(join(chat, 'out')).some((name) => !name.startsWith('.')));
  const [name = ''] = readdirSync(join(chat, 'out'));
  expect(readFileSync(join(chat, 'out', name), 'utf8')).toBe('hello');
  expect(existsSync(join(chat, 'in/one'))).toBe(false);
  await place.run(['send', '--to', 'chat:../../escaped', 'hi']);
  await gateway.says("a chat can't have this name");
  expect(existsSync(join(place.directory, 'state/escaped'))).toBe(false);
  expect(gateway.said).not.toContain('s3cret');
});
