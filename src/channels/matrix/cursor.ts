import { z } from 'zod';
import type { ChannelCheckpoint } from '../channel.js';

/** The place up to which all is on disk: pure functions. */

const cursorSchema = z.object({
  /** The `next_batch` of the last answer that is on disk. */
  since: z.string().min(1),
  /** The time of that answer, in milliseconds since the Unix epoch. */
  at: z.number(),
});

export type SyncCursor = z.output<typeof cursorSchema>;

/** Each account has a place of its own. */
export function cursorKey(userId: string): string {
  return `sync:${userId}`;
}

/** Null: the account was not heard yet. */
export function readCursor(stored: unknown): SyncCursor | null {
  return cursorSchema.safeParse(stored).data ?? null;
}

export function checkpointOf(userId: string, { since, at }: SyncCursor): ChannelCheckpoint {
  return { key: cursorKey(userId), value: { since, at } };
}
