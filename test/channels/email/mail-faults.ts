import { setTimeout as delay } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import type { Moment } from '../../support/cutting-proxy/proxy.js';
import type { ChannelName, Link, MailScene } from './mail-scene.js';

type Fault =
  | 'cut'
  | 'server killed'
  | 'server paused'
  | 'server full'
  | 'gateway killed'
  | 'gateway paused'
  | 'gateway full';

export interface Row {
  readonly link: Link;
  readonly step: string;
  readonly moment: Moment;
  readonly fault: Fault;
  /**
   * Replies that come twice: none, the first one, or any that was in doubt as the gateway or Postfix was killed. A range is
   * counted as none if it holds.
   */
  readonly doubled: number;
  readonly mayDouble: number;
}

/** Mails of a row. */
const mailsOfRow = 3;
/** Time for which a server or the gateway stands still or is full, in milliseconds. */
const standstillMs = 1_500;
const fullMs = 700;

const steps: Readonly<Record<Link, readonly string[]>> = {
  smtp: ['greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'mail'],
  lmtp: ['greeting', 'LHLO', 'MAIL', 'RCPT', 'DATA', 'mail'],
  'imap, seen': ['greeting', 'login', 'select', 'idle', 'news', 'done', 'noop', 'list', 'fetch', 'mark'],
  'imap, moved': ['mark'],
};

/** Steps that no client says. */
const saidByServer = ['greeting', 'news'];

function momentsOf(step: string): readonly Moment[] {
  if (saidByServer.includes(step)) return ['during', 'after'];
  if (step === 'mail') return ['before', 'half said', 'during', 'after'];
  if (step === 'fetch') return ['before', 'during', 'half answered', 'after'];
  return ['before', 'during', 'after'];
}

function rowsOf(link: Link, step: string): readonly Row[] {
  const moments = momentsOf(step);
  // Of the side that is to hear the next words.
  const answers: Moment = saidByServer.includes(step) ? 'during' : 'before';
  const [ofServer, ofGateway]: readonly [Moment, Moment] =
    link === 'lmtp' ? ['during', answers] : [answers, 'during'];
  const faults: readonly (readonly [Fault, readonly Moment[]])[] = [
    ['cut', moments],
    ['server killed', moments],
    ['gateway killed', moments],
    ['server paused', [ofServer]],
    ['gateway paused', [ofGateway]],
    ['server full', [ofServer]],
    ['gateway full', [ofGateway]],
  ];
  return faults.flatMap(([fault, at]) =>
    at.map((moment) => ({ link, step, moment, fault, ...doublesOf(link, step, moment, fault) })),
  );
}

/** The table of docs/channels/: a mail whose answer is missing is sent again, so it may double. */
function doublesOf(link: Link, step: string, moment: Moment, fault: Fault) {
  const isUnanswered = link === 'smtp' && step === 'mail' && moment === 'during';
  if (isUnanswered && ['cut', 'server killed', 'gateway killed'].includes(fault)) {
    return { doubled: 1, mayDouble: 0 };
  }
  // A reply may be on its way.
  const isPostfix = link !== 'imap, seen' && link !== 'imap, moved';
  const mayDouble =
    fault === 'gateway killed' || fault === 'gateway full' || (fault === 'server killed' && isPostfix);
  return { doubled: 0, mayDouble: mayDouble ? 1 : 0 };
}

export const rows: readonly Row[] = (Object.keys(steps) as Link[]).flatMap((link) =>
  steps[link].flatMap((step) => rowsOf(link, step)),
);

const short: readonly (readonly [Link, string, Moment, Fault])[] = [
  ['smtp', 'mail', 'during', 'cut'],
  ['lmtp', 'mail', 'during', 'gateway killed'],
  ['imap, seen', 'fetch', 'half answered', 'cut'],
  ['imap, moved', 'mark', 'during', 'server killed'],
  ['lmtp', 'mail', 'before', 'gateway full'],
];

export const shortRows = short.map(([link, step, moment, fault]): Row => {
  const row = rows.find(
    (each) => each.link === link && each.step === step && each.moment === moment && each.fault === fault,
  );
  if (row === undefined) throw new Error(`no row: ${link}, ${step}, ${moment}, ${fault}`);
  return row;
});

/** What has become of the mails of one row, beside what the row says. */
export interface Account {
  readonly lost: readonly string[];
  readonly takenTwice: readonly string[];
  readonly outOfOrder: readonly string[];
  readonly doubled: number;
}

/** Has mails go through a scene while something goes wrong, and gives an account of them. */
export class MailFaults {
  readonly #scene: MailScene;
  #count = 0;
  #mending: Promise<void> = Promise.resolve();

  constructor(scene: MailScene) {
    this.#scene = scene;
  }

  async run(row: Row): Promise<Account> {
    const scene = this.#scene;
    const { link, step, moment } = row;
    this.#count += 1;
    const thread = `row-${this.#count}`;
    const channel: ChannelName = link === 'imap, moved' ? 'moved' : link === 'lmtp' ? 'lmtp' : 'seen';
    await this.#mending;
    for (const each of Object.keys(steps) as Link[]) scene.proxy(each).disarm();
    if (this.#count > 1) {
      // Waits after failures grow from row to row otherwise.
      await scene.killGateway();
      await scene.startGateway();
      await scene.channelsUp();
    }
    const proxy = scene.proxy(link);
    if (link.startsWith('imap')) {
      // A mail that comes before is in its first list, and no news.
      await vi.waitFor(
        () => expect(proxy.exchanges.at(-1)).toMatchObject({ step: 'idle', isTold: true }),
        20_000,
      );
    }
    const since = scene.proxy('smtp').exchanges.length;
    const reached = proxy.at({ step, moment }, () => this.#spring(row));
    reached.catch(() => undefined);
    if (['greeting', 'login', 'select', 'idle'].includes(step) && link === 'imap, seen') proxy.cut();
    const texts = Array.from({ length: mailsOfRow }, (_, index) => `${thread} mail ${index + 1}`);
    for (const [index, text] of texts.entries()) await scene.write(channel, thread, index + 1, text);
    await Promise.race([reached, this.#missed(row)]);
    await this.#mending;
    const session = scene.session(channel, thread);
    await vi.waitFor(() => this.#isSettled(session, texts, row.doubled), { timeout: 40_000, interval: 50 });
    return this.#account(session, texts, row, since);
  }

  /** Rejects after a time that is long enough to reach the point. */
  async #missed({ step }: Row): Promise<never> {
    await delay(30_000, undefined, { ref: false });
    throw new Error(`${step} was not reached:\n${this.#facts()}`);
  }

  #facts(): string {
    return `${this.#scene.servers.log().slice(-3_000)}\n${this.#scene.gateway.said.slice(-3_000)}`;
  }

  async #spring({ link, fault }: Row): Promise<'cut' | 'go on'> {
    const { servers } = this.#scene;
    const server = link.startsWith('imap') ? 'dovecot' : 'postfix';
    switch (fault) {
      case 'cut':
        return 'cut';
      case 'server killed':
        await servers.kill(server);
        this.#mending = servers.startServer(server);
        return 'cut';
      case 'gateway killed':
        await this.#scene.killGateway();
        this.#mending = this.#scene.startGateway();
        return 'cut';
      case 'server paused': {
        const processes = servers.pause(server);
        this.#mending = delay(standstillMs).then(() => servers.goOn(processes));
        return 'go on';
      }
      case 'gateway paused': {
        const { child } = this.#scene.gateway;
        child.kill('SIGSTOP');
        this.#mending = delay(standstillMs).then(() => void child.kill('SIGCONT'));
        return 'go on';
      }
      case 'server full':
        this.#fill(servers.disks[server]);
        return 'go on';
      case 'gateway full':
        this.#fill(this.#scene.storeDisk);
        return 'go on';
    }
  }

  #fill(disk: string): void {
    const { namespace } = this.#scene.servers;
    namespace.fill(disk);
    this.#mending = delay(fullMs).then(() => namespace.free(disk));
  }

  /** Throws while more is to come. */
  async #isSettled(session: string, texts: readonly string[], doubled: number): Promise<void> {
    const answers = this.#scene.answers();
    const came = texts.map((text) => answers.filter((mail) => mail.includes(`\n${text}\n`)).length);
    const all = came.reduce((sum, count) => sum + count, 0);
    const stored = await this.#scene.stored(session);
    const waiting = stored.filter(({ state }) => state !== 'delivered');
    if (
      came.includes(0) ||
      all < texts.length + doubled ||
      waiting.length > 0 ||
      !this.#scene.servers.isQueueEmpty()
    ) {
      throw new Error(`${came.join(', ')} answers; ${JSON.stringify(stored)}\n${this.#facts()}`);
    }
  }

  async #account(session: string, texts: readonly string[], row: Row, since: number): Promise<Account> {
    const answers = this.#scene.answers();
    const stored = await this.#scene.stored(session);
    const copies = texts.map((text) => answers.filter((mail) => mail.includes(`\n${text}\n`)));
    const doubled = copies.reduce((sum, { length }) => sum + Math.max(0, length - 1), 0);
    const ids = new Set(copies.flat().map((mail) => /^Message-ID: (.*)/im.exec(mail)?.[1]));
    if (ids.size > texts.length) throw new Error(`a double has an id of its own: ${[...ids].join(' ')}`);
    const inOrder = stored.map(({ text }) => text);
    const sent = this.#scene
      .proxy('smtp')
      .exchanges.slice(since)
      .filter(({ step, isSent }) => step === 'mail' && isSent)
      .map(({ said }) => inOrder.findIndex((text) => said.includes(`\r\n${text}\r\n`)))
      .filter((at) => at !== -1);
    return {
      lost: texts.filter((_, index) => copies[index]?.length === 0 || !inOrder.includes(texts[index] ?? '')),
      takenTwice: inOrder.filter((text, index) => inOrder.indexOf(text) !== index),
      outOfOrder: [
        // Postfix itself may hand a mail over before one that had to wait.
        ...(row.link === 'lmtp' ? [] : inOrder.filter((text, index) => texts[index] !== text)),
        ...sent
          .filter((at, index) => at < Math.max(...sent.slice(0, index)))
          .map((at) => `reply to ${inOrder[at]}`),
      ],
      doubled: Math.max(row.doubled, doubled - row.mayDouble),
    };
  }
}
