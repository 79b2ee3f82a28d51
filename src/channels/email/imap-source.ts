import type { MailServer } from '../../config/mail-server.js';
import { endsWithin, pause } from '../../lifecycle/effects/waits.js';
import { errorMessage } from '../../text/failure-text.js';
import { backoffMs, channelBackoff, isStable } from '../backoff.js';
import type { ChannelCheckpoint, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import { standbyMs } from '../connection-loop.js';
import { PlatformLease } from '../platform-lease.js';
import { standby } from '../trouble.js';
import { StoreRetries } from '../until-stored.js';
import { ImapConnection, type ListedMail } from './imap-connection.js';
import { beginCursor, type ImapCursor, isAhead, readCursor } from './imap-cursor.js';
import { type ArrivedMail, keptOfLargeBytes } from './lmtp-session.js';
import type { MailSource } from './mail-source.js';

export interface ImapSourceOptions {
  readonly context: ChannelContext;
  readonly server: MailServer;
  readonly password: string;
  /** Certificates of authorities, in PEM; null: those of Node.js. */
  readonly ca: string | null;
  /** The mailbox for mails that were taken; null: they are marked as read. */
  readonly moveTo: string | null;
  /** Longest time without a request of our own, in milliseconds. */
  readonly checkIntervalMs: number;
  readonly messageLimitBytes: number;
  /** Resolves once the mail and the position are on disk; gives false if nothing of the mail was kept. */
  readonly take: (mail: ArrivedMail | null, checkpoint: ChannelCheckpoint) => Promise<boolean>;
  readonly enter: (state: ChannelHealth['state'], reason: string | null) => void;
  /** The server has answered. */
  readonly proven: () => void;
}

/** Takes mails from a mailbox, one after the other, as they come. */
export class ImapSource implements MailSource {
  readonly #options: ImapSourceOptions;
  readonly #complaints: Complaints;
  readonly #retries: StoreRetries;
  readonly #mailbox: string;
  /** The mailbox and its server, for people; a claim on it has this name. */
  readonly #place: string;
  readonly #key: string;
  readonly #lease: PlatformLease;
  readonly #stop = new AbortController();
  #connection: ImapConnection | null = null;
  #state: 'open' | 'stopping' | 'closed' = 'open';
  #following: Promise<void> = Promise.resolve();

  constructor(options: ImapSourceOptions) {
    const { server, context } = options;
    this.#options = options;
    this.#complaints = new Complaints(context);
    this.#retries = new StoreRetries({ clock: context.clock, log: context.log, signal: this.#stop.signal });
    this.#mailbox = server.path ?? 'INBOX';
    this.#place = `${server.user}@${server.host}:${server.port}/${this.#mailbox}`;
    this.#key = `imap ${this.#place}`;
    this.#lease = new PlatformLease(context, 'imap');
  }

  async start(): Promise<void> {
    const isOurs = await this.#lease.claim(this.#place);
    const connection = isOurs ? await this.#connect() : null;
    // From here on each mail counts.
    if (connection !== null) await this.#begin(connection);
    this.#following = this.#run(connection);
    if (!isOurs) this.#standBy();
  }

  stopAccepting(): void {
    if (this.#state === 'open') this.#state = 'stopping';
    this.#stop.abort();
  }

  /** A mail that is being stored gets to the disk. Its mark follows at the next start, if it is late. */
  async close(timeoutMs: number): Promise<void> {
    this.stopAccepting();
    this.#state = 'closed';
    await endsWithin(this.#options.context.clock, timeoutMs / 2, this.#following);
    this.#connection?.close();
    await this.#following;
    await this.#lease.release();
  }

  #standBy(): void {
    this.#options.enter('starting', standby('mailbox').reason);
  }

  async #connect(): Promise<ImapConnection> {
    const { server, password, ca, checkIntervalMs, messageLimitBytes, context } = this.#options;
    const connection = await ImapConnection.open({
      server,
      password,
      ca,
      mailbox: this.#mailbox,
      largestBytes: messageLimitBytes + keptOfLargeBytes,
      silenceMs: 2 * checkIntervalMs,
      clock: context.clock,
    });
    this.#connection = connection;
    return connection;
  }

  /** Follows one connection after the other, until the channel ends. */
  async #run(first: ImapConnection | null): Promise<void> {
    const { clock } = this.#options.context;
    let connection: ImapConnection | null = first;
    let failures = 0;
    while (this.#isOpen()) {
      const openedAt = clock.now();
      try {
        if (!(await this.#lease.claim(this.#place))) {
          this.#standBy();
          await pause({ clock, signal: this.#stop.signal }, standbyMs);
          continue;
        }
        connection ??= await this.#connect();
        this.#options.enter('up', null);
        await this.#follow(connection);
        continue;
      } catch (error) {
        if (!this.#isOpen()) break;
        if (connection !== null && isStable(clock.now() - openedAt)) failures = 0;
        this.#options.enter('down', `the mailbox ${this.#place} can’t be read: ${errorMessage(error)}`);
      } finally {
        connection?.close();
        connection = null;
        this.#connection = null;
      }
      if (!this.#isOpen()) break;
      await pause({ clock, signal: this.#stop.signal }, backoffMs(channelBackoff, failures));
      failures += 1;
    }
  }

  /** It may have changed while something was awaited. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }

  /**
   * Takes what has come, and waits for more. Resolves at the end, or when another gateway has the mailbox; rejects when the
   * connection is of no more use.
   */
  async #follow(connection: ImapConnection): Promise<void> {
    let cursor = await this.#begin(connection);
    // Another gateway may have got the mailbox while this one stood still.
    while (this.#isOpen() && (await this.#lease.claim(this.#place))) {
      const mails = await connection.list(cursor.uid + 1);
      this.#options.proven();
      for (const mail of mails) {
        if (!this.#isOpen()) return;
        if (isAhead(cursor, mail)) cursor = await this.#takeOne(connection, mail, cursor);
      }
      await connection.news(this.#options.checkIntervalMs, this.#stop.signal);
    }
  }

  async #begin(connection: ImapConnection): Promise<ImapCursor> {
    const kept = readCursor(await this.#options.context.checkpoint(this.#key));
    const cursor = beginCursor(kept, connection.mailbox);
    if (cursor !== kept) {
      if (kept !== null) {
        this.#options.context.log.warning(
          `The mail server has numbered the mails of ${this.#place} anew. Those that are not marked as read are taken.`,
        );
      }
      await this.#store(null, cursor);
    }
    if (cursor.unmarkedUid !== null) await this.#mark(connection, cursor.unmarkedUid);
    return cursor;
  }

  async #takeOne(connection: ImapConnection, mail: ListedMail, before: ImapCursor): Promise<ImapCursor> {
    const { messageLimitBytes } = this.#options;
    const isLarge = mail.sizeBytes > messageLimitBytes;
    const bytes = await connection.fetch(mail.uid, isLarge ? keptOfLargeBytes : null);
    const cursor = { ...before, uid: mail.uid, unmarkedUid: mail.uid };
    // Somebody may have deleted it meanwhile.
    const arrived =
      bytes === null ? null : { bytes, sizeBytes: isLarge ? mail.sizeBytes : bytes.length, returnPath: null };
    const isTaken = await this.#store(arrived, cursor);
    if (isTaken) await this.#mark(connection, mail.uid);
    return cursor;
  }

  /** Gives true if the mail is on disk. */
  async #store(mail: ArrivedMail | null, cursor: ImapCursor): Promise<boolean> {
    const checkpoint = { key: this.#key, value: { ...cursor } };
    return this.#retries.untilStored(() => this.#options.take(mail, checkpoint));
  }

  /** A mark is for people: the position alone says what was taken. */
  async #mark(connection: ImapConnection, uid: number): Promise<void> {
    const { moveTo, context } = this.#options;
    if (await connection.mark(uid, moveTo)) return;
    const what = moveTo === null ? 'marked as read' : `moved to ${JSON.stringify(moveTo)}`;
    this.#complaints.note(
      'mark',
      `A mail of the channel ${context.name} was taken, and could not be ${what}: see if the mailbox is there and may be changed.`,
    );
  }
}
