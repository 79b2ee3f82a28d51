import { type AgentSlots, type CollectedMessage, defaultAgent } from '../turns.js';

/**
 * The two queues of sessions, one for turns and one for deliveries. A session that becomes ready takes a ticket at the
 * end of its queue, also when it has just been served: so a session with a thousand messages waits one round for each,
 * and starves nobody. Work that was cut off goes back to the front.
 *
 * In the queue of turns a sender that is named has one session in each round, so that one with a thousand sessions
 * starves nobody either (start-time fair queueing, Goyal et al., 1996). A session without one counts for itself.
 */
export type Queue = 'turn' | 'delivery';

/** A session's position in a queue: by the round, and within it by the position. */
export interface Ticket {
  readonly round: number;
  readonly position: number;
}

export interface QueueFacts {
  /** The last position that was given in any queue. */
  readonly lastPosition: number;
  /** The round of the session whose turn began last. */
  readonly presentRound: number;
}

/**
 * The ticket of a session that becomes ready.
 *
 * @param lastOfSender the last round in which a session of the message's sender waits; null: none does, or nobody is named
 */
export function ticketAtEnd(queue: Queue, facts: QueueFacts, lastOfSender: number | null): Ticket {
  // The queue of deliveries knows no senders: there the position alone is the order.
  const round = queue === 'delivery' ? 1 : Math.max(facts.presentRound, lastOfSender ?? 0) + 1;
  return { round, position: facts.lastPosition + 1 };
}

/** The ticket before the first one. */
export function ticketBefore({ round, position }: Ticket): Ticket {
  return { round, position: position - 1 };
}

/**
 * The next message of a session. Retries of dead messages come first: the session has passed their numbers.
 *
 * @param retried the first of those that are tried again
 * @param queued the first behind the one that has ended
 */
export function nextInSession<Item>(retried: Item | undefined, queued: Item | undefined): Item | undefined {
  return retried ?? queued;
}

/**
 * The sessions whose turns may begin: in the order of the queue, and no more of an agent than it has slots.
 *
 * @param ready in the order of the queue; read only as far as needed
 */
export function withinSlots<Session extends { readonly agent: string | null }>(
  ready: Iterable<Session>,
  limit: number,
  agentSlots: AgentSlots,
): readonly Session[] {
  const left = new Map(agentSlots);
  const taken: Session[] = [];
  for (const session of ready) {
    const agent = session.agent ?? defaultAgent;
    const slots = left.get(agent) ?? Number.POSITIVE_INFINITY;
    if (slots < 1) continue;
    left.set(agent, slots - 1);
    taken.push(session);
    if (taken.length === limit) break;
  }
  return taken;
}

/** True if a turn of the agent may begin. */
export function hasSlot(agent: string | null, agentSlots: AgentSlots | undefined): boolean {
  return (agentSlots?.get(agent ?? defaultAgent) ?? 1) > 0;
}

/** The move of a session whose head was held. */
export type SessionMove =
  /** It goes on with what is next. */
  | { readonly to: 'next' }
  /** Its head is tried again before all others. */
  | { readonly to: 'front' }
  | { readonly to: 'wait'; readonly delayMs: number }
  | { readonly to: 'stay' };

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

/** The one text of a turn that is made of several messages. Those of files alone have none. */
export function turnText(collected: readonly Pick<CollectedMessage, 'text'>[], text: string): string {
  const texts = [...collected.map((message) => message.text), text];
  return texts.filter((each) => each !== '').join('\n\n');
}
