import { groupBy } from '../group-by.js';
import type { Record } from '../record.js';

/** Messages that were answered 202 are there, in the order in which they were sent. */
export function accepted({ accepted: counts, stored }: Pick<Record, 'accepted' | 'stored'>): string[] {
  const bySession = groupBy(stored, ({ session }) => session);
  return Object.entries(counts).flatMap(([session, count]) => {
    const messages = bySession.get(session) ?? [];
    // One more may have been accepted whose answer nobody got to see.
    const found =
      messages.length < count || messages.length > count + 1
        ? [`${session}: ${count} messages were accepted, ${messages.length} are there`]
        : [];
    return [
      ...found,
      ...messages.flatMap(({ seq, text }, index) =>
        seq === index + 1 && text === `message ${index + 1} of ${session}`
          ? []
          : [`${session}: in the place of message ${index + 1} is number ${seq}, "${text}"`],
      ),
    ];
  });
}
