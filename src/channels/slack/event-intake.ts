import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext, Received } from '../channel.js';
import { DownloadError } from '../platform-http.js';
import { type RemoteFileSource, RemoteFiles } from '../remote-files.js';
import { StoredMessages } from '../stored-messages.js';
import { StoreRetries } from '../until-stored.js';
import { compareTs } from './address.js';
import type { EventObject } from './event-schema.js';
import type { KnownThreads } from './known-threads.js';
import { mentionedIn } from './message-text.js';
import type { MissedSlackMessages } from './missed-messages.js';
import type { PeopleNames } from './people-names.js';
import { readEvent, type SlackBot, type SlackFile, type SlackMessage, textOf } from './read-event.js';
import type { SlackApi } from './slack-api.js';

const downloadTimeoutMs = 60_000;
/** Messages that may wait for the store or a download. Slack sends those again that are left. */
const mostWaiting = 1_000;

export interface EventIntakeOptions {
  readonly context: Pick<
    ChannelContext,
    'receive' | 'keeps' | 'newFiles' | 'clock' | 'log' | 'signal' | 'name'
  >;
  readonly api: SlackApi;
  readonly bot: SlackBot;
  readonly names: PeopleNames;
  readonly known: KnownThreads;
  /** Answers of a channel go into a thread of the message. */
  readonly threads: boolean;
  readonly unknown: Received['replyUnknown'];
  /** The newest message that is on disk; null: there was none yet. */
  readonly newest: string | null;
  readonly missed: MissedSlackMessages;
  /** Strangers who write in private are given a code: their names help the operator to know them. */
  readonly pairing: boolean;
}

/** The key of the checkpoint: each bot hears messages of its own. */
export function newestKey({ teamId, userId }: SlackBot): string {
  return `newest:${teamId}/${userId}`;
}

/** Puts messages on disk: those of a conversation in their order, while others go on. */
export class EventIntake {
  readonly #options: EventIntakeOptions;
  readonly #stored: StoredMessages;
  readonly #files: RemoteFiles;
  /** The last work of each channel of Slack that has some. */
  readonly #lines = new Map<string, Promise<unknown>>();
  #waiting = 0;
  #newest: string | null;

  constructor(options: EventIntakeOptions) {
    this.#options = options;
    this.#newest = options.newest;
    const retries = new StoreRetries(options.context);
    this.#stored = new StoredMessages(options.context, retries);
    this.#files = new RemoteFiles(options.context, retries);
  }

  /** The newest message that is on disk, or was left out for good; null: there was none yet. */
  get newest(): string | null {
    return this.#newest;
  }

  /** Resolves with true once it is on disk or need not be. False: it is not, and must not be acknowledged. Never rejects. */
  take(event: EventObject): Promise<boolean> {
    const { bot, threads } = this.#options;
    const message = readEvent(event, { bot, threads });
    if (message === null) return Promise.resolve(true);
    if (this.#waiting >= mostWaiting) return Promise.resolve(false);
    return this.#inLine(message.channel, () => this.#takeInOrder(message));
  }

  /** Takes what was missed in a conversation. Resolves as `take` does. */
  catchUp(channel: string): Promise<boolean> {
    return this.#inLine(channel, () => this.#takeInOrder(null, channel));
  }

  #inLine(channel: string, work: () => Promise<boolean>): Promise<boolean> {
    this.#waiting += 1;
    const before = this.#lines.get(channel) ?? Promise.resolve();
    const taken = before
      .then(work)
      .catch((error: unknown) => {
        this.#options.context.log.err(`A message could not be taken: ${errorMessage(error)}`);
        return false;
      })
      .finally(() => {
        this.#waiting -= 1;
        if (this.#lines.get(channel) === taken) this.#lines.delete(channel);
      });
    this.#lines.set(channel, taken);
    return taken;
  }

  /** Older messages of the conversation that were missed go first. */
  async #takeInOrder(message: SlackMessage | null, channel = message?.channel ?? ''): Promise<boolean> {
    const missed = await this.#options.missed.of(channel);
    const own = message === null ? [] : [message];
    const isWritten = message?.origin === 'written' && message.ts !== '';
    const others = missed.filter(({ id }) => id !== message?.id || !isWritten);
    const all = isWritten ? [...others, ...own].sort((a, b) => compareTs(a.ts, b.ts)) : [...others, ...own];
    for (const each of all) if (!(await this.#take(each))) return false;
    return true;
  }

  /** Resolves once nothing is under way any more. */
  async rest(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all(this.#lines.values());
  }

  async #take(message: SlackMessage): Promise<boolean> {
    const { context, known, api } = this.#options;
    if (context.signal.aborted) return false;
    const isAddressed = message.isAddressed || (await this.#isKnownThread(message));
    const isKept = await this.#keeps(this.#received(message, isAddressed));
    await this.#options.names.learn(this.#namesFor(message, isKept), api);
    const received = this.#received(message, isAddressed);
    const files = message.files.map((file) => this.#source(file));
    const whole = await this.#files.fetchedWith(received, files);
    if (whole === null) return false;
    if (!(await this.#store(whole, isKept ? message.ts : ''))) return false;
    const { channel, thread } = message;
    if (!isKept || thread === null) return true;
    // Written before it is acknowledged: the thread's next message needs no mention.
    return this.#stored.untilStored(() => known.note(channel, thread));
  }

  /** The store may fail: it decides about the message then, and says why it can't. */
  #keeps(received: Received): Promise<boolean> {
    return this.#options.context.keeps(received).catch(() => false);
  }

  async #isKnownThread({ channel, thread, ts }: SlackMessage): Promise<boolean> {
    if (thread === null || thread === ts) return false;
    let isKnown = false;
    await this.#stored.untilStored(async () => {
      isKnown = await this.#options.known.has(channel, thread);
    });
    return isKnown;
  }

  /** Names cost calls: those of strangers are asked for only where they are shown to the operator. */
  #namesFor({ userId, isGroup, markup }: SlackMessage, isKept: boolean): readonly string[] {
    const { bot, pairing } = this.#options;
    const author = userId !== null && (isKept || (!isGroup && pairing)) ? [userId] : [];
    return isKept ? [...author, ...mentionedIn(markup).filter((id) => id !== bot.userId)] : author;
  }

  #received(message: SlackMessage, isAddressed: boolean): Received {
    const { bot, names, unknown } = this.#options;
    const { conversation, channel, id, ts, userId, isGroup, origin, metadata, defect } = message;
    const text = textOf(message, bot, (user) => names.of(user));
    return {
      conversation,
      id,
      text,
      metadata,
      person: userId === null ? null : { id: userId, name: names.of(userId) },
      isGroup,
      isAddressed,
      origin,
      replyTo: channel === '' ? null : { address: conversation, options: { message_ts: ts } },
      // A send in doubt is looked for in the conversation.
      replyIdempotent: true,
      replyUnknown: unknown ?? null,
      ...(defect === null ? {} : { defect: { kind: 'unreadable' as const, ...defect } }),
    };
  }

  #source({ url, missing, ...file }: SlackFile): RemoteFileSource {
    const { api, context } = this.#options;
    const options = { timeoutMs: downloadTimeoutMs, signal: context.signal };
    return {
      ...file,
      download: () => (url === null ? unavailable(missing) : api.download(url, file.mediaType, options)),
    };
  }

  /** False: the channel has ended first. `ts` empty: it moves nothing. */
  async #store(received: Received, ts: string): Promise<boolean> {
    const isNewer = ts !== '' && (this.#newest === null || compareTs(ts, this.#newest) > 0);
    const checkpoint = isNewer ? { key: newestKey(this.#options.bot), value: ts } : undefined;
    const isStored = await this.#stored.put([received], checkpoint);
    if (isStored && isNewer) this.#newest = ts;
    return isStored;
  }
}

/** A file of which Slack itself says that it can't be had. */
async function* unavailable(missing: string | null): AsyncGenerator<Uint8Array> {
  yield* [];
  throw new DownloadError(`it ${missing ?? 'has no address'}`, false);
}
