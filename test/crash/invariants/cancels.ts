import { groupBy } from '../group-by.js';
import { kindOf } from '../kinds.js';
import type { Record, TurnEvent } from '../record.js';

type Seen = Pick<Record, 'cancels' | 'stored' | 'turns'>;

/**
 * Messages that were answered as cancelled are, and stay so. One that could no longer be cancelled had had its turn.
 * Nothing else is cancelled.
 */
export function cancels(record: Seen): string[] {
  return [...cancelledStays(record), ...othersHadTheirTurn(record), ...nothingUnasked(record)];
}

function cancelledStays({ cancels: answers, stored, turns }: Seen): string[] {
  const messages = new Map(stored.map((message) => [message.id, message]));
  const begins = beginsOf(turns);
  return answers.flatMap(({ session, from, to, cancelled, turnsWritten }) =>
    cancelled.flatMap(({ id, attempts }) => {
      const message = messages.get(id);
      if (message === undefined) return [`${session}: message ${id} was cancelled, and is not there`];
      const { seq, state } = message;
      const found = [];
      if (message.session !== session || seq < from || seq > to) {
        found.push(`${session} ${seq}: it was cancelled with messages ${from} to ${to}`);
      }
      if (state !== 'cancelled') found.push(`${session} ${seq}: it was cancelled, and is ${state}`);
      const later = (begins.get(id) ?? []).filter(({ at }) => at >= turnsWritten);
      // One that was being started may write its first line as the answer comes.
      if (later.length > 1 || later.some(({ attempt }) => attempts !== null && attempt > attempts)) {
        found.push(`${session} ${seq}: its turn began after it was cancelled`);
      }
      return found;
    }),
  );
}

function othersHadTheirTurn({ cancels: answers, stored, turns }: Seen): string[] {
  const bySession = groupBy(stored, ({ session }) => session);
  const messages = new Map(stored.map((message) => [message.id, message]));
  const firstEnds = new Map<string, number>();
  for (const { kind, message, at } of turns) {
    if (kind === 'end' && !firstEnds.has(message)) firstEnds.set(message, at);
  }
  return answers.flatMap(({ session, from, to, turnsWritten }) =>
    (bySession.get(session) ?? []).slice(from - 1, to).flatMap((message) => {
      const { id, state } = messages.get(message.collectedIn ?? '') ?? message;
      return state === 'cancelled' || (firstEnds.get(id) ?? Number.POSITIVE_INFINITY) < turnsWritten
        ? []
        : [
            `${session} ${message.seq}: it was to be cancelled, had not had its turn, and is ${message.state}`,
          ];
    }),
  );
}

function nothingUnasked({ cancels: answers, stored }: Seen): string[] {
  const asked = new Map<string, Set<number>>();
  for (const { session, from, to } of answers) {
    const numbers = asked.get(session) ?? new Set();
    asked.set(session, numbers);
    for (let number = from; number <= to; number += 1) numbers.add(number);
  }
  return stored.flatMap(({ session, seq, state }) =>
    state !== 'cancelled' || kindOf(session) === 'interrupt' || asked.get(session)?.has(seq) === true
      ? []
      : [`${session} ${seq}: it is cancelled, and nobody asked for that`],
  );
}

function beginsOf(turns: readonly TurnEvent[]): Map<string, TurnEvent[]> {
  return groupBy(
    turns.filter(({ kind }) => kind === 'begin'),
    ({ message }) => message,
  );
}
