import { z } from 'zod';
import { isEventId } from './address.js';

/** Relations of events (spec.matrix.org, "Forming relationships between events"): pure functions. */

const relatesTo = z.object({
  rel_type: z.string().optional().catch(undefined),
  event_id: z.string().optional().catch(undefined),
  is_falling_back: z.boolean().optional().catch(undefined),
  'm.in_reply_to': z.object({ event_id: z.string() }).optional().catch(undefined),
});

export interface Relations {
  /** The event that it replaces the content of; null: none. */
  readonly replaces: string | null;
  /** The event that its thread began with; null: it is in none. */
  readonly threadId: string | null;
  /** The event that it answers; null: none. */
  readonly answers: string | null;
}

export function relationsOf(content: Readonly<Record<string, unknown>>): Relations {
  const parsed = relatesTo.safeParse(content['m.relates_to']).data;
  if (parsed === undefined) return { replaces: null, threadId: null, answers: null };
  const target = idOrNull(parsed.event_id);
  const isThread = parsed.rel_type === 'm.thread';
  // In a thread it may only be there for clients without threads.
  const isAnswer = !(isThread && parsed.is_falling_back === true);
  return {
    replaces: parsed.rel_type === 'm.replace' ? target : null,
    threadId: isThread ? target : null,
    answers: isAnswer ? idOrNull(parsed['m.in_reply_to']?.event_id) : null,
  };
}

function idOrNull(id: string | undefined): string | null {
  return id !== undefined && isEventId(id) ? id : null;
}
