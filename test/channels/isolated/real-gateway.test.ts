import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place } from '../../cli/foreground.js';
import { isAlive } from '../../support/is-alive.js';
import { TelegramStandIn } from '../../support/telegram-stand-in.js';

test('a gateway outlives its bot’s process, at whatever point that is killed; a send in doubt alone may double', {
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
  const configure = (keys: string) =>
    writeFileSync(
      join(place.directory, 'etc/sd-gateway.toml'),
      `[channels.tg]\ntype = "telegram"\ntoken_file = "${token}"\napi_root = "${telegram.root}"\nunknown = "resend"\nallow = ["42"]\nisolated = true\n${keys}`,
    );
  configure('required = true\n');
  const gateway = await place.start();
  const pids = () =>
    [...gateway.said.matchAll(/in a process of its own \(PID (\d+)\)/g)].map(([, pid]) => Number(pid));
  const processes = async (count: number) => {
    while (pids().length < count) {
      await new Promise((resolve) => gateway.child.stderr?.once('data', resolve));
    }
  };
  const kill = () => process.kill(pids().at(-1) ?? 0, 'SIGKILL');
  const reached = (method: string) => new Promise<void>((resolve) => telegram.on(method, resolve));
  let written = 0;
  const write = () => void telegram.says(`hello ${++written}`);
  const answered = () => telegram.until(() => telegram.texts.includes(`hello ${written}`));

  write();
  await answered();
  expect((await place.run(['status'])).stdout).toMatch(/Channels: up: tg \(isolated\)/);
  const points: readonly (() => Promise<void>)[] = [
    async () => {
      telegram.next('sendMessage', { kind: 'hang', at: 'before' });
      write();
      await reached('sendMessage');
    },
    async () => {
      telegram.next('sendMessage', { kind: 'hang', at: 'after' });
      const before = telegram.sent.length;
      write();
      await telegram.until(() => telegram.sent.length > before);
    },
    async () => {
      telegram.next('getUpdates', { kind: 'cut', at: 'before' });
      write();
      await reached('getUpdates');
    },
  ];
  let doubled = '';
  for (const [index, reach] of points.entries()) {
    await telegram.until(() => telegram.isPolled);
    await reach();
    kill();
    if (index === 1) doubled = `hello ${written}`;
    await processes(index + 2);
    write();
    await answered();
  }
  expect(gateway.child.exitCode).toBeNull();

  const [before] = pids().slice(-1);
  await place.run(['reload']);
  await gateway.says('The configuration was read again.');
  expect(pids().at(-1)).toBe(before);
  configure('required = true\nnotices = "none"\n');
  await place.run(['reload']);
  await processes(5);
  expect(isAlive(before ?? 0)).toBe(false);
  write();
  await answered();
  gateway.child.kill('SIGTERM');
  expect((await gateway.end).signal).toBeNull();
  expect(pids().filter(isAlive)).toEqual([]);

  const inDoubt = gateway.said.match(/the outcome of attempt \d+ is unknown/g) ?? [];
  expect(telegram.texts.filter((text) => text === doubled)).toHaveLength(2);
  expect(telegram.texts.length - written).toBeLessThanOrEqual(inDoubt.length);
  expect([...new Set(telegram.texts)]).toEqual(
    Array.from({ length: written }, (_, index) => `hello ${index + 1}`),
  );
  expect(telegram.unconfirmed).toBe(0);
  expect(telegram.mistakes).toEqual([]);
  expect(gateway.said).not.toContain(telegram.token.split(':')[1]);
});

test('one that is required, and does not start in its process, ends the start of the gateway', async () => {
  const telegram = await TelegramStandIn.start();
  const place = new Place();
  onTestFinished(async () => {
    place.remove();
    await telegram.close();
  });
  mkdirSync(join(place.directory, 'etc'));
  const token = join(place.directory, 'token');
  writeFileSync(token, '987654321:AAF-another_token_that_nobody_knows_00', { mode: 0o600 });
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[channels.tg]\ntype = "telegram"\ntoken_file = "${token}"\napi_root = "${telegram.root}"\nisolated = true\nrequired = true\n`,
  );
  const { status, stderr } = await place.run(['run']);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(
    /\[channels\.tg\], which has required = true, did not start: .*does not know the bot/,
  );
});
