import type { Turn } from '../../store/turns.js';
import { plainSenders, type TurnSenders } from '../dispatch/turn-senders.js';
import type { People } from './people.js';

/** Looks the authors of a turn up, if it came by a channel that people write to. Rejects if the store can't tell. */
export function sendersOf(people: People, turn: Turn): TurnSenders | Promise<TurnSenders> {
  return people.isOfPeople(turn.channel) ? lookUp(people, turn) : plainSenders(turn);
}

async function lookUp(people: People, turn: Turn): Promise<TurnSenders> {
  const { channel } = turn;
  const ids = new Set([turn, ...turn.collected].flatMap(({ sender }) => (sender === null ? [] : [sender])));
  const found = new Map(
    await Promise.all([...ids].map(async (id) => [id, await people.person(channel, id)] as const)),
  );
  return {
    of: (id) => {
      if (id === null) return null;
      const person = found.get(id) ?? null;
      return { id, name: person?.name ?? null, channel, role: person?.role ?? null };
    },
    // A message that nobody wrote was set aside, or comes by another way.
    mayWrite: (id) => id === null || found.get(id) != null,
  };
}
