import type { SessionPolicy } from '../messages.js';

/** Facts that decide if a store takes a message in. */
export interface AcceptanceFacts {
  /** The session's message with the same idempotency key. */
  readonly earlier: { readonly fingerprint: Uint8Array } | null;
  /** The session; null if there is none yet. */
  readonly session: {
    readonly lastSeq: number;
    /** Messages that are queued, and turns under way. */
    readonly unfinished: number;
    readonly policy: SessionPolicy | null;
  } | null;
  /** The session's first message that is not done with. `isHeld`: its turn is under way. */
  readonly head: { readonly isHeld: boolean } | null;
  /** Messages that wait in all sessions. */
  readonly queued: number;
  /** True if a session waits for its turn, which then comes before this message's. */
  readonly othersWait: boolean;
  /** True if a turn runs that must run alone (suspects.ts). */
  readonly poisonSuspectRuns: boolean;
}

export interface AcceptanceRequest {
  readonly fingerprint: Uint8Array | null;
  readonly limits: { readonly session: number; readonly total: number; readonly policy?: SessionPolicy };
  /** True if somebody would run it at once. */
  readonly wantsTurn: boolean;
  /** True if it is to be kept as dead. Default: false. */
  readonly isSetAside?: boolean;
}

export type Acceptance =
  | { readonly outcome: 'repeated' }
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'full'; readonly limit: 'session' | 'total'; readonly waiting: number }
  | { readonly outcome: 'set-aside' }
  | {
      readonly outcome: 'accepted';
      readonly seq: number;
      /** The session's other messages are cancelled for it first. */
      readonly interrupts: boolean;
      /** It is the first of its session that is not done with. */
      readonly isHead: boolean;
      /** Its turn begins with it. */
      readonly begins: boolean;
    };

/**
 * Decides about a message that comes. A repeated one is answered even if the queue is full. One that nothing waits before
 * begins at once where that is asked for: to queue it, and to take it from the queue again in a transaction of its own,
 * would be as much to write once more.
 */
export function decideAcceptance(facts: AcceptanceFacts, request: AcceptanceRequest): Acceptance {
  const { earlier, session, head, queued } = facts;
  const { fingerprint, limits, wantsTurn } = request;
  if (earlier !== null)
    return { outcome: isSame(earlier.fingerprint, fingerprint) ? 'repeated' : 'conflict' };
  if (request.isSetAside === true) return { outcome: 'set-aside' };
  if (queued >= limits.total) return { outcome: 'full', limit: 'total', waiting: queued };
  const interrupts = head !== null && (session?.policy ?? limits.policy) === 'interrupt';
  if (!interrupts) {
    const waiting = (session?.unfinished ?? 0) - (head?.isHeld ? 1 : 0);
    if (waiting >= limits.session) return { outcome: 'full', limit: 'session', waiting };
  }
  // A turn that is interrupted keeps its session until it has ended.
  const isHead = head === null || (interrupts && !head.isHeld);
  return {
    outcome: 'accepted',
    seq: (session?.lastSeq ?? 0) + 1,
    interrupts,
    isHead,
    begins: wantsTurn && isHead && !facts.othersWait && !facts.poisonSuspectRuns,
  };
}

/** The reason of a message that is kept as dead, as too many wait. */
export function fullReason({
  limit,
  waiting,
}: {
  readonly limit: 'session' | 'total';
  readonly waiting: number;
}) {
  const where = limit === 'session' ? 'in its session' : 'in all sessions';
  return `It was not queued: ${waiting} messages wait ${where} (dispatch.${limit}_queue).`;
}

function isSame(a: Uint8Array, b: Uint8Array | null): boolean {
  return b !== null && Buffer.compare(a, b) === 0;
}
