import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';
import { SlackStandIn } from '../../support/slack-stand-in.js';

type Point = readonly [name: string, reach: (slack: SlackStandIn, write: () => void) => Promise<void>];

/** Each resolves once the point is reached at which the gateway is killed. */
const points: readonly Point[] = [
  [
    'after a reply has arrived, before its answer has',
    async (slack, write) => {
      slack.next('chat.postMessage', { kind: 'hang', at: 'after' });
      const before = slack.textsIn().length;
      write();
      await slack.until(() => slack.textsIn().length > before);
    },
  ],
  [
    'while an event is on its way',
    async (slack, write) => {
      write();
      await Promise.resolve(slack);
    },
  ],
  [
    'after an event was acknowledged',
    async (slack, write) => {
      write();
      await slack.until(() => slack.unacknowledged === 0);
    },
  ],
  [
    'before a reply arrives',
    async (slack, write) => {
      slack.next('chat.postMessage', { kind: 'hang', at: 'before' });
      const before = slack.callsOf('chat.postMessage').length;
      write();
      await slack.until(() => slack.callsOf('chat.postMessage').length > before);
    },
  ],
  [
    'between the end of a connection and the next one',
    async (slack, write) => {
      slack.next('apps.connections.open', { kind: 'hang', at: 'before' });
      slack.disconnect('warning');
      write();
      await slack.until(() => slack.unacknowledged === 0);
    },
  ],
];

/** `npm run test:all` takes them all. */
const taken = process.env['PROPERTY_FACTOR'] === undefined ? points.slice(0, 1) : points;

test('nothing is lost, doubled or out of order, wherever the gateway is killed, and however long it is away', {
  timeout: 120_000,
}, async () => {
  const slack = await SlackStandIn.start();
  slack.addConversation('D42');
  const place = new Place();
  onTestFinished(async () => {
    place.remove();
    await slack.close();
  });
  mkdirSync(join(place.directory, 'etc'));
  const secrets = { token_file: slack.botToken, app_token_file: slack.appToken };
  const files = Object.entries(secrets).map(([key, secret]) => {
    const path = join(place.directory, key);
    writeFileSync(path, secret, { mode: 0o600 });
    return `${key} = ${JSON.stringify(path)}`;
  });
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[channels.sl]\ntype = "slack"\n${files.join('\n')}\napi_root = ${JSON.stringify(slack.root)}\nallow = ["U42"]\n`,
  );
  let written = 0;
  const write = () => void slack.says(`hello ${++written}`);
  const answered = () => slack.until(() => slack.textsIn().includes(`hello ${written}`));
  const said: string[] = [];

  let gateway: Gateway = await place.start();
  await slack.until(() => slack.isConnected);
  write();
  await answered();
  for (const [, reach] of taken) {
    await slack.until(() => slack.isConnected);
    await reach(slack, write);
    gateway.child.kill('SIGKILL');
    expect((await gateway.end).signal).toBe('SIGKILL');
    said.push(gateway.said);
    // Slack gives up what nobody hears.
    slack.keepsEvents = false;
    write();
    slack.keepsEvents = true;
    gateway = await place.start();
    await slack.until(() => slack.isConnected);
    write();
    await answered();
  }
  const status = await place.run(['status']);
  expect(status.stdout).toMatch(/Channels: up: sl/);
  gateway.child.kill('SIGTERM');
  await gateway.end;
  said.push(gateway.said, status.stdout);

  expect(slack.textsIn()).toEqual(Array.from({ length: written }, (_, index) => `hello ${index + 1}`));
  expect(slack.unacknowledged).toBe(0);
  expect(slack.mistakes).toEqual([]);
  for (const secret of Object.values(secrets)) expect(said.join('')).not.toContain(secret);
});
