import { itemsOfPages } from '../../store/pages.js';
import type { ChannelContext } from '../channel.js';

/** A thread without a message for so long is forgotten: it needs a mention again. In milliseconds. */
const rememberedMs = 30 * 86_400_000;
/** The record of a thread that goes on is written again after so long, in milliseconds. */
const renewedAfterMs = 86_400_000;
const mostInMemory = 1_000;
const pageSize = 500;

/** Threads in which the bot was called once, and hears all from then on. */
export class KnownThreads {
  readonly #context: Pick<ChannelContext, 'records' | 'clock'>;
  readonly #kind: string;
  /** When each was noted, the oldest first. */
  readonly #noted = new Map<string, number>();

  constructor(context: Pick<ChannelContext, 'name' | 'records' | 'clock'>) {
    this.#context = context;
    this.#kind = `${context.name}:thread`;
  }

  async load(): Promise<void> {
    const { records } = this.#context;
    const pages = (after: string | null) => records.records(this.#kind, { limit: pageSize, after });
    const all: { readonly key: string; readonly at: number }[] = [];
    for await (const { key, value } of itemsOfPages(pages)) all.push({ key, at: Number(value) });
    all.sort((a, b) => a.at - b.at);
    for (const { key, at } of all.slice(-mostInMemory)) this.#noted.set(key, at);
  }

  async has(channel: string, thread: string): Promise<boolean> {
    const key = `${channel}:${thread}`;
    if (this.#noted.has(key)) return true;
    return (await this.#context.records.record(this.#kind, key)) !== null;
  }

  /** Resolves once it is on disk. */
  async note(channel: string, thread: string): Promise<void> {
    const key = `${channel}:${thread}`;
    const now = this.#context.clock.now();
    if (now - (this.#noted.get(key) ?? Number.NEGATIVE_INFINITY) < renewedAfterMs) return;
    await this.#context.records.putRecord({
      kind: this.#kind,
      key,
      value: now,
      expiresInMs: rememberedMs,
    });
    this.#noted.delete(key);
    this.#noted.set(key, now);
    const [oldest] = this.#noted.keys();
    if (this.#noted.size > mostInMemory && oldest !== undefined) this.#noted.delete(oldest);
  }

  /** The threads of a channel that were heard of last, the newest first. */
  ofChannel(channel: string, most: number): readonly string[] {
    const mine = [...this.#noted.keys()].filter((key) => key.startsWith(`${channel}:`));
    return mine
      .reverse()
      .slice(0, most)
      .map((key) => key.slice(channel.length + 1));
  }
}
