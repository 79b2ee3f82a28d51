import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';
import { ada, DiscordStandIn } from '../../support/discord-stand-in.js';

/** Each kills the gateway at a named point. They resolve once that point is reached. */
const points: Readonly<Record<string, (discord: DiscordStandIn, write: () => void) => Promise<void>>> = {
  'as soon as a message has come': async (_discord, write) => {
    write();
  },
  'after a reply has arrived, before its answer has': async (discord, write) => {
    discord.next('POST messages', { kind: 'hang', at: 'after' });
    const before = discord.sent.length;
    write();
    await discord.until(() => discord.sent.length > before);
  },
  'before a reply arrives': async (discord, write) => {
    discord.next('POST messages', { kind: 'hang', at: 'before' });
    const reached = new Promise<void>((resolve) => discord.on('POST messages', resolve));
    write();
    await reached;
  },
  'while messages that were missed are read back': async (discord, write) => {
    discord.next('GET messages', { kind: 'hang', at: 'before' });
    const reached = new Promise<void>((resolve) => discord.on('GET messages', resolve));
    discord.gateway.op(9, false);
    discord.gateway.expireSessions();
    write();
    await reached;
  },
};

/** `npm run test:all` takes all of them, `npm test` the one whose reply is looked for in the channel. */
const taken = Object.values(points).slice(...(process.env['PROPERTY_FACTOR'] === undefined ? [1, 2] : []));

test('nothing is lost, doubled or out of order, wherever the gateway is killed', {
  timeout: 120_000,
}, async () => {
  const discord = await DiscordStandIn.start();
  discord.gateway.heartbeatIntervalMs = 1_000;
  const place = new Place();
  onTestFinished(async () => {
    place.remove();
    await discord.close();
  });
  mkdirSync(join(place.directory, 'etc'));
  const token = join(place.directory, 'token');
  writeFileSync(token, discord.token, { mode: 0o600 });
  const table = { type: 'discord', token_file: token, api_root: discord.root };
  const lines = Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[channels.dc]\n${lines.join('\n')}\nallow = ["${ada.id}"]\n`,
  );
  let written = 0;
  const write = () => void discord.says(`hello ${++written}`);
  const answered = () => discord.until(() => discord.texts.includes(`hello ${written}`));
  const said: string[] = [];

  let gateway: Gateway = await place.start();
  await discord.until(() => discord.gateway.isConnected);
  write();
  await answered();
  for (const reach of taken) {
    await discord.until(() => discord.gateway.isConnected);
    await reach(discord, write);
    gateway.child.kill('SIGKILL');
    expect((await gateway.end).signal).toBe('SIGKILL');
    said.push(gateway.said);
    write();
    gateway = await place.start();
    write();
    await answered();
  }
  gateway.child.kill('SIGTERM');
  await gateway.end;
  said.push(gateway.said);

  expect(discord.texts).toEqual(Array.from({ length: written }, (_, index) => `hello ${index + 1}`));
  expect(discord.mistakes).toEqual([]);
  expect(said.join('')).not.toContain(discord.token);
});
