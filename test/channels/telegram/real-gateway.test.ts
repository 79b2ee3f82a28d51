import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';
import { TelegramStandIn } from '../../support/telegram-stand-in.js';

/** Each kills the gateway at a named point. They resolve once that point is reached. */
const points: Readonly<Record<string, (telegram: TelegramStandIn, write: () => void) => Promise<void>>> = {
  'before an update is stored': async (telegram, write) => {
    telegram.next('getUpdates', { kind: 'hang', at: 'after' });
    // The poll that is open takes this one.
    write();
    await reached(telegram, 'getUpdates');
    write();
    await telegram.until(() => telegram.unconfirmed > 0);
  },
  'after updates are stored, before the next poll': async (telegram, write) => {
    telegram.next('getUpdates', { kind: 'cut', at: 'before' });
    write();
    await reached(telegram, 'getUpdates');
  },
  'after a reply has arrived, before its answer has': async (telegram, write) => {
    telegram.next('sendMessage', { kind: 'hang', at: 'after' });
    write();
    const before = telegram.sent.length;
    await telegram.until(() => telegram.sent.length > before);
  },
  'before a reply arrives': async (telegram, write) => {
    telegram.next('sendMessage', { kind: 'hang', at: 'before' });
    write();
    await reached(telegram, 'sendMessage');
  },
};

function reached(telegram: TelegramStandIn, method: string): Promise<void> {
  return new Promise((resolve) => telegram.on(method, resolve));
}

test('nothing is lost or out of order, wherever the gateway is killed; a send in doubt alone may come twice', {
  timeout: 60_000,
}, async () => {
  const telegram = await TelegramStandIn.start();
  const place = new Place();
  onTestFinished(async () => {
    place.remove();
    await telegram.close();
  });
  mkdirSync(join(place.directory, 'etc'));
  const token = join(place.directory, 'token');
  writeFileSync(token, telegram.token, { mode: 0o600 });
  const table = { type: 'telegram', token_file: token, api_root: telegram.root, unknown: 'resend' };
  const lines = Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[channels.tg]\n${lines.join('\n')}\nallow = ["42"]\n`,
  );
  let written = 0;
  const write = () => void telegram.says(`hello ${++written}`);
  const answered = () => telegram.until(() => telegram.texts.includes(`hello ${written}`));
  const said: string[] = [];

  let gateway: Gateway = await place.start();
  write();
  await answered();
  const doubled: string[] = [];
  for (const [name, reach] of Object.entries(points)) {
    await telegram.until(() => telegram.isPolled);
    await reach(telegram, write);
    gateway.child.kill('SIGKILL');
    expect((await gateway.end).signal).toBe('SIGKILL');
    said.push(gateway.said);
    if (name.startsWith('after a reply')) doubled.push(`hello ${written}`);
    gateway = await place.start();
    write();
    await answered();
  }
  const status = await place.run(['status']);
  expect(status.stdout).toMatch(/Channels: up: tg/);
  gateway.child.kill('SIGTERM');
  await gateway.end;
  said.push(gateway.said, status.stdout);

  const texts = [...telegram.texts];
  for (const text of doubled) texts.splice(texts.indexOf(text), 1);
  expect(texts).toEqual(Array.from({ length: written }, (_, index) => `hello ${index + 1}`));
  expect(telegram.unconfirmed).toBe(0);
  expect(telegram.mistakes).toEqual([]);
  expect(said.join('')).not.toContain(telegram.token.split(':')[1]);
});
