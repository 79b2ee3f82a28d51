import { hash, timingSafeEqual } from 'node:crypto';
import type { JsonValue } from '../../store/messages.js';
import { tableOf } from '../../store/records.js';

/** A code is valid for so long, and nobody gets another one sooner, in milliseconds. */
export const codeLifeMs = 3_600_000;
export const codePauseMs = 60_000;
/** Persons of one channel that may wait to be let in. */
export const mostWaiting = 10;
/** Longest id of a person that is given a code, in characters. */
export const longestPersonId = 255;

/** A stranger who was given a code. */
export interface Waiting {
  /** SHA-256: the code itself is the person's, who tells it to the operator. */
  readonly codeHash: string;
  readonly name: string | null;
  /** Milliseconds since the Unix epoch: when the first code was asked for, and when the last one was given. */
  readonly askedAt: number;
  readonly toldAt: number;
}

/** `new` and `again` give a code; `silent`: one was given just now; `full`: too many wait. */
export type Offer = 'new' | 'again' | 'silent' | 'full';

/** Decides if a stranger gets a code. A further one takes the place of the one before and lasts no longer. */
export function decideOffer(
  person: string,
  own: Waiting | null,
  facts: { readonly waiting: number; readonly now: number },
): Offer {
  if (person.length > longestPersonId) return 'full';
  if (own !== null) return facts.now - own.toldAt < codePauseMs ? 'silent' : 'again';
  return facts.waiting >= mostWaiting ? 'full' : 'new';
}

/** The same code in two channels has two hashes. */
export function codeHash(channel: string, code: string): string {
  return hash('sha256', `${channel}:${code}`);
}

/** Finds the one whose code it is, in constant time for each. */
export function waitingFor<Each extends { readonly value: Waiting }>(
  waiting: readonly Each[],
  channel: string,
  code: string,
): Each | null {
  const given = Buffer.from(codeHash(channel, code));
  let found: Each | null = null;
  for (const each of waiting) {
    const kept = Buffer.from(each.value.codeHash);
    if (kept.length === given.length && timingSafeEqual(kept, given)) found = each;
  }
  return found;
}

export function storedWaiting({ codeHash: code, name, askedAt, toldAt }: Waiting): JsonValue {
  return { code_hash: code, name, asked_at: askedAt, told_at: toldAt };
}

/** Null: another version wrote it, or somebody by hand. */
export function keptWaiting(value: JsonValue): Waiting | null {
  const { code_hash: code, name, asked_at: askedAt, told_at: toldAt } = tableOf(value);
  if (typeof code !== 'string' || typeof askedAt !== 'number' || typeof toldAt !== 'number') return null;
  return { codeHash: code, name: typeof name === 'string' ? name : null, askedAt, toldAt };
}
