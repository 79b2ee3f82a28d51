import { itemsOfPages } from '../../store/pages.js';
import type { ChannelContext } from '../channel.js';

const pageSize = 500;
/** A conversation that was silent for longer is not looked through for what was missed. */
const keptMs = 30 * 86_400_000;
/** A record is written anew so often. */
const renewalMs = 86_400_000;

/** Channels of private conversations, which Discord has no list of. */
export class DirectChannels {
  readonly #context: Pick<ChannelContext, 'records' | 'clock'>;
  readonly #kind: string;
  readonly #notedAt = new Map<string, number>();

  constructor(context: Pick<ChannelContext, 'name' | 'records' | 'clock'>) {
    this.#context = context;
    this.#kind = `${context.name}:direct-channel`;
  }

  /** Resolves once it is on disk. */
  async note(channelId: string): Promise<void> {
    const now = this.#context.clock.now();
    const notedAt = this.#notedAt.get(channelId);
    if (notedAt !== undefined && now - notedAt < renewalMs) return;
    const { records } = this.#context;
    await records.putRecord({ kind: this.#kind, key: channelId, value: true, expiresInMs: keptMs });
    this.#notedAt.set(channelId, now);
  }

  async all(most: number): Promise<readonly string[]> {
    const pages = (after: string | null) =>
      this.#context.records.records(this.#kind, { limit: pageSize, after });
    const found: string[] = [];
    for await (const { key } of itemsOfPages(pages)) {
      if (found.length === most) break;
      found.push(key);
    }
    return found;
  }
}
