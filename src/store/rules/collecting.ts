import type { CollectedMessage } from '../turns.js';

/** A queued message as far as a turn may be made of it. */
export interface Collectable {
  readonly text: string;
  /** True if an agent has seen its turn, perhaps: then it is made of the same for ever. */
  readonly hasBegun: boolean;
  /** All that says where its reply goes and how it is sent, as one text. */
  readonly target: string;
  readonly generation: number;
}

/** A turn is made of no more texts than these UTF-16 code units hold, but for its first. */
const longestText = 1_048_576;

/**
 * Counts the messages behind the head of a session that collects which join its turn. The last of them runs, the others
 * are part of its turn. Only messages of one generation, whose reply goes to the same place, join.
 *
 * @param behind in the order of their numbers; read only as far as needed
 */
export function countParts(head: Collectable, behind: Iterable<Collectable>): number {
  if (head.hasBegun) return 0;
  let length = head.text.length;
  let count = 0;
  for (const message of behind) {
    length += message.text.length;
    if (message.hasBegun || !goWith(message, head) || length > longestText) break;
    count += 1;
  }
  return count;
}

function goWith(a: Collectable, b: Collectable): boolean {
  return a.target === b.target && a.generation === b.generation;
}

/** The one text of a turn that is made of several messages. */
export function turnText(collected: readonly CollectedMessage[], text: string): string {
  return [...collected.map((message) => message.text), text].join('\n\n');
}
