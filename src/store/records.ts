import type { JsonValue } from './messages.js';

/** Small things that channels and agents keep, and claims on what one gateway does at a time. */

/**
 * A place up to which a channel has been read: a record of the kind `checkpointKind(channel)` under this key.
 */
export interface Checkpoint {
  readonly channel: string;
  readonly key: string;
  readonly value: JsonValue;
}

export function checkpointKind(channel: string): string {
  return `checkpoint:${channel}`;
}

/** Something small that a channel or an agent keeps: a cursor, a person, the id of an agent's session. */
export interface NewRecord {
  readonly kind: string;
  readonly key: string;
  readonly value: JsonValue;
  /** From now on; null, the default: it stays until it is deleted. */
  readonly expiresInMs?: number | null;
}

export interface StoredRecord {
  readonly kind: string;
  readonly key: string;
  readonly value: JsonValue;
  /** Higher than all that the record had before, also where it was deleted in between. */
  readonly version: number;
  /** Milliseconds since the Unix epoch; null: never. */
  readonly expiresAt: number | null;
}

/** A version: that one; `null`: there is none yet; `any`, the default: whatever is there. */
export type ExpectedRecord = number | null | 'any';

export type RecordOutcome =
  | { readonly outcome: 'written'; readonly version: number }
  /** As it is now; null: there is none. */
  | { readonly outcome: 'conflict'; readonly record: StoredRecord | null };

/** A record's value as a table; one of another kind is an empty one. */
export function tableOf(value: JsonValue): Readonly<Record<string, JsonValue>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, JsonValue>>)
    : {};
}

/** Records that agents keep between turns, such as the id of a session of their own. */
export const agentSessionKind = 'agent-session';

/** No session's name has a "/", so that the key's beginning tells whose it is. */
export function agentSessionKey(of: {
  readonly session: string;
  readonly generation: number;
  readonly agent: string;
}): string {
  return `${of.session}/${of.generation}/${of.agent}`;
}

/** A claim on what one gateway at most may do at a time. */
export interface LeaseHold {
  readonly kind: string;
  readonly name: string;
  readonly owner: string;
  readonly epoch: number;
}
