import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';
import { IrcDialect } from '../../support/cutting-proxy/irc-dialect.js';
import { CuttingProxy, type Moment } from '../../support/cutting-proxy/proxy.js';
import { Namespace } from '../../support/namespace.js';
import { hasIrcServer, IrcPerson, IrcServer } from './irc-server.js';

/**
 * A real ngircd and the gateway, each of which is killed and paused, and their connections cut, at each step. The row of IRC in
 * docs/channels/ says what holds. `IRC_FAULTS=all`: the whole table, as `npm run test:all` runs it.
 */

type Fault = 'cut' | 'server killed' | 'server paused' | 'gateway killed' | 'gateway paused';

interface Row {
  readonly fault: Fault;
  /** A line of the gateway's, or of the server's. */
  readonly step: 'PRIVMSG' | 'PING' | 'PONG';
  readonly moment: Moment;
  /** Replies that reach the room, the least and the most, as `unknown` says. */
  readonly resend: readonly [number, number];
  readonly ask: readonly [number, number];
}

/** One that nobody has, one that a second one may follow, and one that nobody knows of. */
const once = { resend: [1, 1], ask: [1, 1] } as const;
const notYet = { resend: [1, 1], ask: [0, 0] } as const;
const there = { resend: [2, 2], ask: [1, 1] } as const;
const perhaps = { resend: [1, 2], ask: [0, 1] } as const;

const out: readonly Row[] = [
  { fault: 'cut', step: 'PRIVMSG', moment: 'before', ...notYet },
  { fault: 'cut', step: 'PING', moment: 'before', ...there },
  { fault: 'cut', step: 'PONG', moment: 'during', ...there },
  { fault: 'cut', step: 'PONG', moment: 'after', ...perhaps },
  { fault: 'server killed', step: 'PRIVMSG', moment: 'before', ...notYet },
  { fault: 'server killed', step: 'PING', moment: 'before', ...perhaps },
  { fault: 'server killed', step: 'PONG', moment: 'during', ...perhaps },
  { fault: 'server paused', step: 'PRIVMSG', moment: 'before', ...once },
  { fault: 'gateway killed', step: 'PRIVMSG', moment: 'before', ...notYet },
  { fault: 'gateway killed', step: 'PING', moment: 'before', ...there },
  { fault: 'gateway killed', step: 'PONG', moment: 'during', ...there },
  { fault: 'gateway killed', step: 'PONG', moment: 'after', ...perhaps },
  { fault: 'gateway paused', step: 'PONG', moment: 'during', ...once },
];

const inward: readonly (readonly [Fault, Moment])[] = [
  ['cut', 'during'],
  ['cut', 'after'],
  ['server killed', 'during'],
  ['server paused', 'during'],
  ['gateway killed', 'during'],
  ['gateway killed', 'after'],
  ['gateway paused', 'during'],
];

const isWhole = process.env['IRC_FAULTS'] !== undefined;
const program = fileURLToPath(new URL('../../../examples/irc.py', import.meta.url));
const room = '#dev';
const standstillMs = 1_000;
const kinds = ['resend', 'ask'] as const;
type Kind = (typeof kinds)[number];

const place = new Place();
let namespace: Namespace;
let server: IrcServer;
let gateway: Gateway;
let ada: IrcPerson;
let isAway = false;
let proxies: Readonly<Record<Kind, CuttingProxy>>;

beforeAll(async () => {
  if (!hasIrcServer) return;
  namespace = await Namespace.open();
  chmodSync(place.directory, 0o755);
  server = new IrcServer(namespace, join(place.directory, 'ngircd.conf'));
  await Promise.all([server.start(), server.bridge()]);
  // Nobody is in the room of a new server until the person has come back: the gateway waits so long.
  const connect = () => {
    const socket = server.connect();
    if (isAway) socket.destroy(new Error('not yet'));
    return socket;
  };
  const proxy = () => new CuttingProxy(() => new IrcDialect(), connect);
  proxies = { resend: proxy(), ask: proxy() };
  const tables = kinds.map(async (kind) => {
    const command = [
      '/usr/bin/python3',
      program,
      '127.0.0.1',
      String(await proxies[kind].listen()),
      kind,
      room,
    ];
    return `[channels.${kind}]\ntype = "command"\nunknown = "${kind}"\nallow = ["ada"]\ncommand = ${JSON.stringify(command)}\n`;
  });
  mkdirSync(join(place.directory, 'etc'));
  writeFileSync(join(place.directory, 'etc/sd-gateway.toml'), (await Promise.all(tables)).join(''));
  await enter();
}, 60_000);

afterAll(async () => {
  if (!hasIrcServer) return;
  ada.leaves();
  place.remove();
  for (const proxy of Object.values(proxies)) proxy.close();
  await server.kill();
  namespace.close();
});

/** The person joins, and each channel has its place in the room. */
async function enter(): Promise<void> {
  ada = new IrcPerson(server, 'ada');
  await ada.joins(room);
  isAway = false;
  gateway = await place.start();
  await areBack();
}

/** Those in the room, as the server says now. */
async function names(): Promise<string> {
  const heard = ada.heard.length;
  ada.says(`NAMES ${room}`);
  await vi.waitFor(() => expect(ada.heard.slice(heard)).toContain(' 366 '), { interval: 10 });
  return / 353 .*:(.*)\r/.exec(ada.heard.slice(heard))?.[1] ?? '';
}

const areBack = () =>
  vi.waitFor(async () => expect((await names()).split(/ @?/)).toEqual(expect.arrayContaining([...kinds])), {
    timeout: 20_000,
    interval: 100,
  });

/** The server has seen the end of the connections of a gateway that was killed. */
const areGone = () =>
  vi.waitFor(async () => expect(await names()).toMatch(/^@?ada ?$/), { timeout: 20_000, interval: 50 });

async function spring(fault: Fault): Promise<'cut' | 'go on'> {
  switch (fault) {
    case 'cut':
      return 'cut';
    case 'server killed': {
      isAway = true;
      await server.kill();
      await server.start();
      const heard = ada.heard;
      ada.leaves();
      ada = new IrcPerson(server, 'ada');
      await ada.joins(room);
      ada.remember(heard);
      isAway = false;
      return 'cut';
    }
    case 'gateway killed':
      gateway.child.kill('SIGKILL');
      await gateway.end;
      return 'cut';
    case 'server paused':
      server.signal('SIGSTOP');
      void delay(standstillMs).then(() => server.signal('SIGCONT'));
      return 'go on';
    case 'gateway paused': {
      const { child } = gateway;
      child.kill('SIGSTOP');
      void delay(standstillMs).then(() => child.kill('SIGCONT'));
      return 'go on';
    }
  }
}

async function settled(
  session: string,
): Promise<readonly { readonly text: string; readonly state: string }[]> {
  return vi.waitFor(
    async () => {
      const { body } = await place.client.get(`/v1/sessions/${session}/messages?limit=1000`);
      const { items } = body as {
        readonly items: readonly { readonly text: string; readonly state: string }[];
      };
      const open = items.filter(({ state }) => state !== 'delivered' && state !== 'dead');
      if (open.length > 0) throw new Error(`${JSON.stringify(open)}\n${gateway.said}`);
      return items;
    },
    { timeout: 20_000, interval: 50 },
  );
}

const shown = (kind: Kind) =>
  [...ada.heard.matchAll(new RegExp(`^:${kind}!\\S* PRIVMSG ${room} :ada: (.*)\\r$`, 'gm'))].map(
    ([, text]) => text,
  );

let count = 0;

/** Has the person say two things, in the middle of one of which something goes wrong. */
async function row(kind: Kind, fault: Fault, step: string, moment: Moment) {
  count += 1;
  if (count > 1) {
    // Waits after failures grow from row to row otherwise.
    gateway.child.kill('SIGKILL');
    await gateway.end;
    await areGone();
    gateway = await place.start();
    await areBack();
  }
  for (const each of kinds) proxies[each].disarm();
  const texts = [`row ${count} first`, `row ${count} second`];
  const before = gateway.said.length;
  const reached = proxies[kind].at({ step, moment }, () => spring(fault));
  reached.catch(() => undefined);
  ada.says(`PRIVMSG ${room} :${kind}: ${texts[0]}`);
  await reached;
  if (fault === 'gateway killed') {
    await areGone();
    gateway = await place.start();
  }
  // Until then the server may still have the connection that has ended.
  if (fault === 'cut')
    await vi.waitFor(() => expect(gateway.said.slice(before)).toContain(`${kind} is up again`), 20_000);
  if (fault === 'server killed')
    await vi.waitFor(() => expect(gateway.said.slice(before)).toMatch(/up again[\s\S]*up again/), 20_000);
  if (!fault.endsWith('paused')) await areBack();
  ada.says(`PRIVMSG ${room} :${kind}: ${texts[1]}`);
  await vi.waitFor(() => expect(shown(kind)).toContain(texts[1]), { timeout: 20_000, interval: 20 });
  const all = (await settled(`${kind}:~23dev`)).map(({ text, state }) => ({
    text: text.replace(/^ada: /, ''),
    state,
  }));
  const stored = all.filter(({ text }) => texts.includes(text));
  const seen = shown(kind).filter((text) => texts.includes(text ?? ''));
  return { texts, stored, seen, copies: seen.filter((text) => text === texts[0]).length };
}

const shortRows = out.filter(({ fault, step }) => fault === 'cut' && step === 'PONG').slice(0, 1);

for (const { fault, step, moment, ...expected } of isWhole ? out : shortRows) {
  for (const kind of kinds) {
    test.skipIf(!hasIrcServer)(
      `a reply, ${kind}: ${fault}, ${step} ${moment}`,
      { timeout: 60_000 },
      async () => {
        const { texts, stored, seen, copies } = await row(kind, fault, step, moment);
        const [least, most] = expected[kind];
        expect(copies).toBeGreaterThanOrEqual(least);
        expect(copies).toBeLessThanOrEqual(most);
        expect(stored.map(({ text }) => text)).toEqual(texts);
        // It is in order, and what nobody knows of waits for a person.
        expect(seen.at(-1)).toBe(texts[1]);
        expect(seen.slice(0, -1)).not.toContain(texts[1]);
        if (copies === 0) expect(stored[0]?.state).toBe('dead');
      },
    );
  }
}

for (const [fault, moment] of isWhole ? inward : inward.slice(0, 1)) {
  test.skipIf(!hasIrcServer)(`a message: ${fault}, PRIVMSG ${moment}`, { timeout: 60_000 }, async () => {
    const { texts, stored, seen } = await row('resend', fault, 'PRIVMSG of a person', moment);
    const taken = stored.map(({ text }) => text);
    expect(taken.at(-1)).toBe(texts[1]);
    expect(new Set(taken).size).toBe(taken.length);
    // IRC sends nothing again: the first one is lost with the program that was to have it.
    if (fault.endsWith('paused')) expect(taken).toEqual(texts);
    expect(new Set(seen)).toEqual(new Set(taken));
  });
}
