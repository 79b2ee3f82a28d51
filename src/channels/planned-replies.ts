import type { Delivery } from '../store/deliveries.js';
import type { Attachment } from '../store/messages.js';
import { errorMessage } from '../text/failure-text.js';
import type { ChannelContext } from './channel.js';
import type { ReplyPart } from './reply-sender.js';

/** Plans of replies: the messages of a chat that each is made of. */
export class PlannedReplies<Part> {
  readonly #plan: (delivery: Delivery) => readonly Part[];
  readonly #textOf: (part: Part) => string;
  /** Each part of a reply is sent by its plan. */
  readonly #plans = new WeakMap<Delivery, readonly Part[]>();

  /**
   * @param plan makes the same parts each time; none: there is nothing to say
   * @param textOf empty for a file
   */
  constructor(plan: (delivery: Delivery) => readonly Part[], textOf: (part: Part) => string) {
    this.#plan = plan;
    this.#textOf = textOf;
  }

  /** One at least. */
  partsOf(delivery: Delivery): readonly ReplyPart[] {
    const parts = this.#planOf(delivery);
    if (parts.length === 0) return [{ delivery, number: 1, text: '' }];
    return parts.map((part, index) => ({ delivery, number: index + 1, text: this.#textOf(part) }));
  }

  /** Undefined: there is nothing to say. */
  partOf({ delivery, number }: ReplyPart): Part | undefined {
    return this.#planOf(delivery)[number - 1];
  }

  #planOf(delivery: Delivery): readonly Part[] {
    const plan = this.#plans.get(delivery) ?? this.#plan(delivery);
    this.#plans.set(delivery, plan);
    return plan;
  }
}

/** The content of a file that goes with a reply; null: it is no longer stored. A failure has had no effect yet. */
export async function openedFile(
  { openFile }: Pick<ChannelContext, 'openFile'>,
  file: Attachment,
): Promise<
  | AsyncIterable<Uint8Array>
  | null
  | { readonly kind: 'failed'; readonly reason: string; readonly inDoubt: false }
> {
  try {
    return await openFile(file);
  } catch (error) {
    return { kind: 'failed', reason: `the file can't be read: ${errorMessage(error)}`, inDoubt: false };
  }
}

/** Stands in the place of a file that is no longer stored. */
export function lostFileText({ name }: Attachment): string {
  return `[the file ${JSON.stringify(name)} is no longer stored]`;
}

/** The slowest upload that is waited for. */
const uploadBytesPerMs = 100;

/** Longest time of an upload, in milliseconds. */
export function uploadTimeoutMs(timeoutMs: number, { sizeBytes }: Attachment): number {
  return timeoutMs + sizeBytes / uploadBytesPerMs;
}
