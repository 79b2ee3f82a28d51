import { groupBy } from '../group-by.js';
import type { Record, StoredMessage } from '../record.js';

/** In a session one turn at a time, in the order of the messages, and none again once a later one has begun. */
export function turns({ turns: events, stored }: Pick<Record, 'turns' | 'stored'>): string[] {
  const messages = new Map(stored.map((message) => [message.id, message]));
  const bySession = groupBy(stored, ({ session }) => session);
  const reached = new Map<string, number>();
  const ended = new Set<string>();
  const found: string[] = [];
  for (const { kind, session, message } of events) {
    const seq = messages.get(message)?.seq;
    const at = reached.get(session) ?? 0;
    if (kind === 'overlap') found.push(`${session}: message ${message} was run beside another one`);
    else if (seq === undefined) found.push(`${session}: message ${message} was run, and is not there`);
    else if (kind === 'end') ended.add(message);
    else {
      if (seq < at) found.push(`${session}: message ${seq} was run again after message ${at} had begun`);
      const passed = (bySession.get(session) ?? []).slice(at, Math.max(at, seq - 1));
      if (!passed.every(mayBePassed))
        found.push(`${session}: message ${seq} was run next after message ${at}`);
      reached.set(session, Math.max(at, seq));
    }
  }
  for (const message of stored) {
    const { session, seq, id } = message;
    if (!mayBePassed(message) && !ended.has(id)) found.push(`${session} ${seq}: no turn of it ever ended`);
  }
  return found;
}

/** It needs no turn of its own. */
function mayBePassed({ state }: StoredMessage): boolean {
  return state === 'cancelled' || state === 'collected';
}
