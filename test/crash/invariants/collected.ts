import { groupBy } from '../group-by.js';
import { kindOf } from '../kinds.js';
import type { Record, StoredMessage } from '../record.js';
import { repliesOf } from './replies.js';

/**
 * A collected message is part of one turn, that of a later message, whose text and reply are those of all of them; it may
 * be cancelled as a whole.
 */
export function collected({
  stored,
  turns,
  received,
}: Pick<Record, 'stored' | 'turns' | 'received'>): string[] {
  const found: string[] = [];
  const messages = new Map(stored.map((message) => [message.id, message]));
  const bySession = groupBy(stored, ({ session }) => session);
  const parts = groupBy(
    stored.filter(({ state }) => state === 'collected'),
    ({ collectedIn }) => collectedIn,
  );
  for (const message of stored) {
    if (message.state !== 'collected') continue;
    const { session, seq, collectedIn } = message;
    const turn = messages.get(collectedIn ?? '');
    if (turn?.session !== session || turn.seq <= seq || !['delivered', 'cancelled'].includes(turn.state)) {
      found.push(
        `${session} ${seq}: it is part of the turn of ${collectedIn}, which is no later one that came to its end`,
      );
      continue;
    }
    const between = (bySession.get(session) ?? []).slice(seq, turn.seq - 1);
    if (!between.every((other) => other.collectedIn === collectedIn || other.state === 'cancelled')) {
      found.push(`${session} ${seq}: not all between it and message ${turn.seq} are part of its turn`);
    }
  }
  const given = new Set<string>();
  for (const { kind, session, message, text } of turns) {
    const stands = messages.get(message);
    if (kind !== 'begin' || kindOf(session) !== 'collect' || stands === undefined) continue;
    if (stands.state === 'collected') {
      found.push(`${session} ${stands.seq}: it was run, and is part of another turn`);
    }
    // The gateway may have ended before it had given the turn to the agent.
    if (text === undefined) continue;
    given.add(message);
    if (text !== textOf(parts.get(message) ?? [], stands)) {
      found.push(`${session} ${stands.seq}: its turn was made of ${JSON.stringify(text)}`);
    }
  }
  for (const { session, seq, id, state } of stored) {
    if (kindOf(session) === 'collect' && state === 'delivered' && !given.has(id)) {
      found.push(`${session} ${seq}: it has a reply, and no agent was ever given its text`);
    }
  }
  for (const { data } of repliesOf(received)) {
    const named = (data.collected ?? []).map(({ id }) => id).join(' ');
    const wanted = (parts.get(data.id) ?? []).map(({ id }) => id).join(' ');
    if (named !== wanted) {
      found.push(`${data.session} ${data.seq}: its reply names "${named}" as collected, not "${wanted}"`);
    }
  }
  return found;
}

function textOf(parts: readonly StoredMessage[], last: StoredMessage): string {
  return [...parts, last].map(({ text }) => text).join('\n\n');
}
