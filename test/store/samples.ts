import { v7 } from 'uuid';
import type { Delivery, DeliveryFailure } from '../../src/store/deliveries.js';
import { type Message, type NewMessage, type QueueLimits, webhookTarget } from '../../src/store/messages.js';
import type { Store } from '../../src/store/store.js';
import type { Turn, TurnClaim } from '../../src/store/turns.js';

/** The time of all stores that a test has opened, in milliseconds since the Unix epoch: it goes on by what is called. */
export const clock = { now: 1_000 };

/** The store, whose calls are made at that time. */
export function at<Kind extends Store>(now: number, store: Kind): Kind {
  return new Proxy(store, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      return (...parameters: unknown[]) => {
        clock.now = now;
        return method.apply(target, parameters);
      };
    },
  });
}

export const noLimits: QueueLimits = { session: 1_000_000, total: 10_000_000 };

export function newMessage(session: string, changes: Partial<NewMessage> = {}): NewMessage {
  return {
    id: v7(),
    session,
    text: `a message to ${session}`,
    metadata: {},
    replyTo: null,
    idempotencyKey: null,
    fingerprint: new Uint8Array(32),
    channel: 'http',
    ...changes,
  };
}

export async function acceptOne(
  store: Store,
  session: string,
  { acceptedAt = 1_000, ...changes }: Partial<NewMessage> & { readonly acceptedAt?: number } = {},
): Promise<Message> {
  const outcome = await at(acceptedAt, store).accept(newMessage(session, changes), noLimits);
  if (outcome.outcome !== 'accepted') throw new Error(`Expected "accepted", got "${outcome.outcome}".`);
  return outcome.message;
}

export function claim(changes: Partial<TurnClaim> = {}): TurnClaim {
  return { owner: 'first', limit: 100, leaseMs: 10_000, ...changes };
}

/** A claim by the times at which it begins and ends. */
type TimedClaim = Partial<Omit<TurnClaim, 'leaseMs'>> & {
  readonly now?: number;
  readonly leaseUntil?: number;
};

function timed({ now = 2_000, leaseUntil = 12_000, ...changes }: TimedClaim): [number, TurnClaim] {
  return [now, claim({ ...changes, leaseMs: leaseUntil - now })];
}

export function claimTurns(store: Store, claimed: TimedClaim = {}): Promise<readonly Turn[]> {
  const [now, request] = timed(claimed);
  return at(now, store).claimTurns(request);
}

export function claimDeliveries(store: Store, claimed: TimedClaim = {}): Promise<readonly Delivery[]> {
  const [now, request] = timed(claimed);
  return at(now, store).claimDeliveries(request);
}

export async function claimOne(store: Store, claimed: TimedClaim = {}): Promise<Turn> {
  const [turn] = await claimTurns(store, { limit: 1, ...claimed });
  if (turn === undefined) throw new Error('Expected a turn to claim.');
  return turn;
}

export function renewLeases(store: Store, owner: string, until: number) {
  return store.renewLeases(owner, until - clock.now);
}

/** The time at which something is due. */
export async function dueAt(store: Store, owner: string): Promise<number | null> {
  const span = await store.nextDueInMs(owner);
  return span === null ? null : clock.now + span;
}

export function failure(error: string, retryInMs: number | null): DeliveryFailure {
  return { error, retryInMs, attempted: true, unknown: false };
}

/** Brings a message of a new session to where its reply waits to be posted. */
export async function answerOne(store: Store, session: string): Promise<Message> {
  const message = await acceptOne(store, session, { replyTo: webhookTarget('https://receiver.example/') });
  const turn = await claimOne(store);
  await at(3_000, store).completeTurn(turn, { text: `reply to ${turn.text}`, metadata: {} });
  return message;
}
