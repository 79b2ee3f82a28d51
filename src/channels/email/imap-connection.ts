import type { FetchMessageObject, ImapFlow } from 'imapflow';
import type { MailServer } from '../../config/mail-server.js';
import { pause } from '../../lifecycle/effects/waits.js';
import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext } from '../channel.js';
import type { OpenMailbox } from './imap-cursor.js';
import { loadImapflow } from './optional-packages.js';
import { tlsOptions } from './tls-options.js';

export interface ImapConnectionOptions {
  readonly server: MailServer;
  readonly password: string;
  readonly ca: string | null;
  readonly mailbox: string;
  /** Largest mail that is fetched. */
  readonly largestBytes: number;
  /** Silence after which the connection is given up, in milliseconds. */
  readonly silenceMs: number;
  readonly clock: ChannelContext['clock'];
}

/** Facts of a mail in the mailbox. */
export interface ListedMail {
  readonly uid: number;
  readonly sizeBytes: number;
  readonly isSeen: boolean;
}

/** Longest wait for the answer to a command, in milliseconds. A large mail takes its time. */
const answerTimeoutMs = 60_000;
const fetchTimeoutMs = 300_000;

/**
 * Longest line of the server. Lists of mails have short ones, and a mail is no line. The library takes a line apart in one go,
 * which takes seconds for some MiB of parentheses.
 */
const longestLineBytes = 64 * 1024;
/** Mails of one list: a hundred bytes each are kept. */
const mostListed = 1_000_000;

/** One connection to one mailbox. A command that fails, or is not answered in time, rejects; no other follows then. */
export class ImapConnection {
  readonly #client: ImapFlow;
  readonly #clock: ChannelContext['clock'];
  /** Rejects when the connection has ended. */
  readonly #ended: Promise<never>;
  /** The reason of its end; null: it goes on, or the server has ended it. */
  #failure: Error | null = null;
  #hasNews = false;
  #tellNews = () => {};

  private constructor(client: ImapFlow, clock: ChannelContext['clock']) {
    this.#client = client;
    this.#clock = clock;
    this.#ended = new Promise((_resolve, reject) => {
      client.on('error', (error: Error) => {
        this.#failure = error;
        reject(reasonOf(error));
      });
      client.on('close', () => reject(this.#failure ?? new Error('the server has closed the connection')));
    });
    this.#ended.catch(() => undefined);
    client.on('exists', () => {
      this.#hasNews = true;
      this.#tellNews();
    });
  }

  /** Rejects with an error that says what to do, without the password. */
  static async open(options: ImapConnectionOptions): Promise<ImapConnection> {
    const { server, password, ca, mailbox, largestBytes, silenceMs, clock } = options;
    const { ImapFlow } = await loadImapflow();
    const client = new ImapFlow({
      host: server.host,
      port: server.port,
      secure: server.security === 'tls',
      doSTARTTLS: server.security === 'starttls',
      auth: { user: server.user ?? '', pass: password },
      tls: tlsOptions(ca),
      // It would write the texts of mails.
      logger: false,
      disableAutoIdle: true,
      maxLiteralSize: largestBytes + 1024 ** 2,
      // One mail, and what the server says beside it.
      maxResponseSize: largestBytes + 2 * 1024 ** 2,
      maxLineLength: longestLineBytes,
      connectionTimeout: answerTimeoutMs,
      greetingTimeout: answerTimeoutMs,
      socketTimeout: silenceMs,
    });
    const connection = new ImapConnection(client, clock);
    try {
      await connection.#answer(client.connect());
      const { readOnly } = await connection.#answer(client.mailboxOpen(mailbox));
      if (readOnly === true) throw new Error(`${JSON.stringify(mailbox)} can only be read`);
    } catch (error) {
      connection.close();
      throw reasonOf(error);
    }
    return connection;
  }

  get mailbox(): OpenMailbox {
    const { mailbox } = this.#client;
    if (mailbox === false) throw new Error('the mailbox is closed');
    return { uidValidity: String(mailbox.uidValidity), uidNext: mailbox.uidNext };
  }

  /** The mails from this UID on, in their order. */
  async list(fromUid: number): Promise<readonly ListedMail[]> {
    this.#hasNews = false;
    // The server tells of new mails before it answers.
    await this.#answer(this.#client.noop());
    const mailbox = this.#client.mailbox;
    if (mailbox === false || mailbox.exists === 0) return [];
    const found = await this.#answer(this.#listed(fromUid));
    return found.sort((a, b) => a.uid - b.uid);
  }

  async #listed(fromUid: number): Promise<ListedMail[]> {
    const found: ListedMail[] = [];
    let listed = 0;
    const facts = { uid: true, size: true, flags: true };
    for await (const { uid, size = 0, flags } of this.#client.fetch(`${fromUid}:*`, facts, { uid: true })) {
      listed += 1;
      if (listed > this.#mostListed()) {
        // The library would read on to the end of the list.
        this.#failure = new Error(`the server lists more mails than the ${this.#mostListed()} that it may`);
        this.close();
        throw this.#failure;
      }
      // "*" is the last mail, also if that comes before the first one wanted.
      if (uid < fromUid) continue;
      found.push({ uid, sizeBytes: size, isSeen: flags?.has('\\Seen') === true });
    }
    return found;
  }

  /** The mails that the mailbox has: the server tells of new ones before it lists them. */
  #mostListed(): number {
    const { mailbox } = this.#client;
    return Math.min(mailbox === false ? 0 : mailbox.exists, mostListed);
  }

  /** Gives the mail, or its first bytes; null if it is gone. */
  async fetch(uid: number, limitBytes: number | null): Promise<Buffer | null> {
    const source = limitBytes === null ? true : { start: 0, maxLength: limitBytes };
    const message: FetchMessageObject | false = await this.#answer(
      this.#client.fetchOne(String(uid), { uid: true, source }, { uid: true }),
      fetchTimeoutMs,
    );
    return message === false ? null : (message.source ?? null);
  }

  /** Marks a mail as read, or moves it. Gives false if the server would not. */
  async mark(uid: number, moveTo: string | null): Promise<boolean> {
    const id = String(uid);
    const done =
      moveTo === null
        ? await this.#answer(this.#client.messageFlagsAdd(id, ['\\Seen'], { uid: true }))
        : await this.#answer(this.#client.messageMove(id, moveTo, { uid: true }));
    return done !== false;
  }

  /** Resolves when a mail has come, after so long, or at the signal. */
  async news(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#hasNews) return;
    const end = new AbortController();
    const told = new Promise<void>((resolve) => {
      this.#tellNews = resolve;
    });
    const idle = this.#client.idle().then(
      () => undefined,
      () => undefined,
    );
    try {
      const waits = [
        told,
        pause({ clock: this.#clock, signal: AbortSignal.any([signal, end.signal]) }, timeoutMs),
      ];
      await Promise.race([...waits, this.#ended]);
    } finally {
      end.abort();
      this.#tellNews = () => {};
      void idle;
    }
  }

  /** Ends it at once; what it waits for rejects. */
  close(): void {
    this.#client.close();
  }

  async #answer<Value>(command: Promise<Value>, timeoutMs = answerTimeoutMs): Promise<Value> {
    let cancel = () => {};
    const late = new Promise<never>((_resolve, reject) => {
      cancel = this.#clock.after(timeoutMs, () => {
        reject(new Error(`the server has not answered within ${timeoutMs / 1_000} s`));
        this.close();
      });
    });
    try {
      return await Promise.race([command, late, this.#ended]);
    } catch (error) {
      throw reasonOf(error);
    } finally {
      cancel();
      command.catch(() => undefined);
    }
  }
}

/** The library says "Command failed", and keeps the server's own words beside it. */
function reasonOf(error: unknown): Error {
  const { responseText, authenticationFailed } = error as {
    readonly responseText?: unknown;
    readonly authenticationFailed?: unknown;
  };
  const told = typeof responseText === 'string' && responseText !== '' ? responseText.slice(0, 300) : null;
  if (authenticationFailed === true) {
    return new Error(`the server refuses the user or the password: ${told ?? 'it gives no reason'}`);
  }
  return told === null
    ? new Error(errorMessage(error), { cause: error })
    : new Error(`the server says: ${told}`);
}
