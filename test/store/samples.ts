import { v7 } from 'uuid';
import type {
  Claim,
  DeliveryFailure,
  Message,
  NewMessage,
  QueueLimits,
  Store,
  Turn,
  TurnClaim,
} from '../../src/store/store.js';

export const noLimits: QueueLimits = { session: 1_000_000, total: 10_000_000 };

export function newMessage(session: string, changes: Partial<NewMessage> = {}): NewMessage {
  return {
    id: v7(),
    session,
    text: `a message to ${session}`,
    metadata: {},
    replyUrl: null,
    idempotencyKey: null,
    fingerprint: new Uint8Array(32),
    channel: 'http',
    acceptedAt: 1_000,
    ...changes,
  };
}

export async function acceptOne(
  store: Store,
  session: string,
  changes: Partial<NewMessage> = {},
): Promise<Message> {
  const outcome = await store.accept(newMessage(session, changes), noLimits);
  if (outcome.outcome !== 'accepted') throw new Error(`Expected "accepted", got "${outcome.outcome}".`);
  return outcome.message;
}

export function claim(changes: Partial<Claim> = {}): Claim {
  return { owner: 'first', limit: 100, now: 2_000, leaseUntil: 12_000, ...changes };
}

export async function claimOne(store: Store, changes: Partial<TurnClaim> = {}): Promise<Turn> {
  const [turn] = await store.claimTurns({ ...claim({ limit: 1 }), ...changes });
  if (turn === undefined) throw new Error('Expected a turn to claim.');
  return turn;
}

export function failure(error: string, retryAt: number | null): DeliveryFailure {
  return { error, retryAt, attempted: true, unknown: false };
}

/** Brings a message of a new session to where its reply waits to be posted. */
export async function replyTo(store: Store, session: string): Promise<Message> {
  const message = await acceptOne(store, session, { replyUrl: 'https://receiver.example/' });
  const turn = await claimOne(store);
  await store.completeTurn(turn, { text: `reply to ${turn.text}`, metadata: {} }, 3_000);
  return message;
}
