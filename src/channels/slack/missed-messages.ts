import { z } from 'zod';
import { pause } from '../../lifecycle/effects/waits.js';
import { boundedList } from '../bounded-list.js';
import type { ChannelContext } from '../channel.js';
import { SendBudget } from '../send-budget.js';
import { compareTs } from './address.js';
import { messageSchema } from './event-schema.js';
import type { KnownThreads } from './known-threads.js';
import { type ReadOptions, readMessage, type SlackMessage } from './read-event.js';
import { slackReadRates } from './send-rates.js';
import type { SlackApi, SlackEnd } from './slack-api.js';

/** Slack may still send what is younger, in any order: it is looked at again. In milliseconds. */
const overlapMs = 600_000;
/** Older messages are not answered any more, in milliseconds. */
const furthestMs = 86_400_000;
const timeoutMs = 10_000;
const longestWaitMs = 60_000;
const mostTries = 3;
const pageSize = 200;
/** Bounds of one look: conversations, pages of one, and threads in it. */
const mostConversations = 1_000;
const mostPages = 5;
const mostThreads = 20;

const listed = z.object({
  channels: boundedList(z.object({ id: z.string() })),
  response_metadata: z.object({ next_cursor: z.string().default('') }).nullish(),
});

const history = z.object({
  messages: z.array(z.unknown()),
  has_more: z.boolean().default(false),
  response_metadata: z.object({ next_cursor: z.string().default('') }).nullish(),
});

interface HistoryParameters {
  readonly channel: string;
  readonly oldest: string;
  /** A thread's first message. */
  readonly ts?: string;
}

type Message = z.output<typeof messageSchema>;

export interface MissedSlackMessagesOptions extends ReadOptions {
  readonly api: SlackApi;
  readonly known: KnownThreads;
  readonly clock: ChannelContext['clock'];
  readonly signal: AbortSignal;
  /** Some messages may be missing. */
  readonly complain: (text: string) => void;
}

/**
 * Messages of the time in which nobody listened. Slack gives up an event that was not acknowledged after some minutes; the
 * conversations still have its message.
 */
export class MissedSlackMessages {
  readonly #options: MissedSlackMessagesOptions;
  readonly #budget = new SendBudget(slackReadRates);
  /** Conversations are looked at once, from this time on; null: nothing was missed. */
  #gap: { readonly oldest: string; readonly seen: Set<string> } | null = null;

  constructor(options: MissedSlackMessagesOptions) {
    this.#options = options;
  }

  /** Nobody has listened since. Null: nobody has listened before either. */
  begin(newest: string | null): void {
    if (newest === null) return;
    const now = this.#options.clock.now();
    const since = Math.max(Number(newest) * 1_000 - overlapMs, now - furthestMs, 0);
    this.#gap = { oldest: (since / 1_000).toFixed(6), seen: new Set() };
  }

  /** The conversations that have not been looked at. They end if `begin` is called again. */
  async *conversations(): AsyncGenerator<string> {
    const gap = this.#gap;
    if (gap === null) return;
    let cursor = '';
    for (let count = 0; count < mostConversations; ) {
      const end = await this.#call('users.conversations', {
        types: 'public_channel,private_channel,mpim,im',
        exclude_archived: true,
        limit: pageSize,
        ...(cursor === '' ? {} : { cursor }),
      });
      const parsed = listed.safeParse(end.kind === 'ok' ? end.result : undefined);
      if (!parsed.success) return this.#tell('in which conversations the bot is', end);
      for (const { id } of parsed.data.channels) {
        if (this.#gap !== gap) return;
        if (!gap.seen.has(id)) yield id;
      }
      count += parsed.data.channels.length;
      cursor = parsed.data.response_metadata?.next_cursor ?? '';
      if (cursor === '') return;
    }
  }

  /** The messages of a conversation that was not looked at, the oldest first. Never rejects. */
  async of(channel: string): Promise<readonly SlackMessage[]> {
    const gap = this.#gap;
    if (gap === null || gap.seen.has(channel)) return [];
    gap.seen.add(channel);
    const found = await this.#messages('conversations.history', { channel, oldest: gap.oldest });
    const threads = new Set(this.#options.known.ofChannel(channel, mostThreads));
    for (const { ts, latest_reply: last } of found) {
      if (last !== undefined && threads.size < mostThreads) threads.add(ts);
    }
    const replies: Message[] = [];
    for (const ts of threads) {
      const inThread = await this.#messages('conversations.replies', { channel, ts, oldest: gap.oldest });
      // The message that it begins with is always there, however old.
      replies.push(...inThread.filter((each) => each.ts !== ts));
    }
    return [...found, ...replies]
      .sort((a, b) => compareTs(a.ts, b.ts))
      .flatMap((message) => readMessage(message, channel, this.#options, 'written') ?? []);
  }

  async #messages(method: string, parameters: HistoryParameters): Promise<readonly Message[]> {
    const found: Message[] = [];
    let cursor = '';
    for (let pages = 0; pages < mostPages; pages += 1) {
      const from = cursor === '' ? {} : { cursor };
      const end = await this.#call(method, { ...parameters, limit: pageSize, ...from });
      const parsed = history.safeParse(end.kind === 'ok' ? end.result : undefined);
      if (!parsed.success) {
        // A thread may be gone.
        if (end.kind !== 'refused' || end.error !== 'thread_not_found') {
          this.#tell(`what was written in ${parameters.channel}`, end);
        }
        return found;
      }
      for (const each of parsed.data.messages) {
        const message = messageSchema.safeParse(each);
        if (message.success) found.push(message.data);
      }
      cursor = parsed.data.response_metadata?.next_cursor ?? '';
      if (!parsed.data.has_more || cursor === '') return found;
    }
    this.#options.complain(
      `More than ${mostPages * pageSize} messages were written in ${parameters.channel} while nobody listened: the oldest are left out.`,
    );
    return found;
  }

  #tell(what: string, end: SlackEnd): void {
    if (end.kind === 'aborted') return;
    const needed =
      end.kind === 'refused' && end.needed !== null ? `, which needs the scope ${end.needed}` : '';
    const why =
      end.kind === 'refused' ? end.error : end.kind === 'failed' ? end.reason : 'an answer that is none';
    this.#options.complain(
      `Messages of the time in which nobody listened may be missing: Slack does not say ${what}${needed} (${why}).`,
    );
  }

  /** Waits for its turn, and for the time that Slack asks for. */
  async #call(method: string, parameters: Readonly<Record<string, unknown>>): Promise<SlackEnd> {
    const { api, clock, signal } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const at = this.#budget.reserve(method, clock.now());
      if (at > clock.now()) await pause({ clock, signal }, at - clock.now());
      const end = await api.call(method, parameters, { timeoutMs, signal });
      const isPassing = end.kind === 'failed' || (end.kind === 'refused' && end.error === 'ratelimited');
      if (!isPassing || tries === mostTries) return end;
      const askedMs = end.kind === 'refused' ? (end.retryAfterMs ?? 0) : 0;
      await pause({ clock, signal }, Math.min(Math.max(askedMs, tries * 1_000), longestWaitMs));
    }
  }
}
