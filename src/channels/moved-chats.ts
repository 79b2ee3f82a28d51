import { itemsOfPages } from '../store/pages.js';
import type { ChannelContext } from './channel.js';

const pageSize = 500;

/** Chats whose ids have changed: they keep their session. */
export class MovedChats {
  readonly #records: ChannelContext['records'];
  readonly #kind: string;
  readonly #next = new Map<string, string>();
  readonly #previous = new Map<string, string>();

  constructor({ name, records }: Pick<ChannelContext, 'name' | 'records'>) {
    this.#records = records;
    this.#kind = `${name}:moved-chat`;
  }

  async load(): Promise<void> {
    const pages = (after: string | null) => this.#records.records(this.#kind, { limit: pageSize, after });
    for await (const { key, value } of itemsOfPages(pages)) this.#keep(key, String(value));
  }

  /** Resolves once it is on disk. */
  async note(from: string, to: string): Promise<void> {
    if (this.#next.get(from) === to || from === to) return;
    await this.#records.putRecord({ kind: this.#kind, key: from, value: to });
    this.#keep(from, to);
  }

  /** The id that the chat has now. */
  currentId(chatId: string): string {
    return follow(this.#next, chatId);
  }

  /** The first id of the chat, after which its session is named. */
  firstId(chatId: string): string {
    return follow(this.#previous, chatId);
  }

  #keep(from: string, to: string): void {
    this.#next.set(from, to);
    this.#previous.set(to, from);
  }
}

function follow(links: ReadonlyMap<string, string>, from: string): string {
  const seen = new Set([from]);
  let id = from;
  for (;;) {
    const next = links.get(id);
    // A circle can't come of a platform, and must not hang the gateway.
    if (next === undefined || seen.has(next)) return id;
    seen.add(next);
    id = next;
  }
}
