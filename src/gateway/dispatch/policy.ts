import { AgentError } from '../../agents/agent.js';
import type { LogFields } from '../../log/log.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import { traceIdOf } from '../../text/trace-context.js';

/** Decisions of the dispatcher: pure functions over plain data. */

/** A turn's backoff ends here however often it is doubled. */
const longestRetryDelayMs = 86_400_000;

export interface FailedTurn {
  /** 1 for the first. */
  readonly attempt: number;
  /** False: another attempt can't end otherwise. */
  readonly retry: boolean;
}

export interface RetrySettings {
  readonly max_attempts: number;
  readonly retry_delay: number;
}

/** The wait until the turn is tried again, in milliseconds; null: its message is dead. */
export function retryDelay(failed: FailedTurn, settings: RetrySettings): number | null {
  if (!failed.retry || failed.attempt >= settings.max_attempts) return null;
  const delay = settings.retry_delay * 2 ** Math.max(failed.attempt - 1, 0);
  return Math.min(delay, longestRetryDelayMs);
}

/** With fewer, an operator's restart or two would end the message of an agent that does nothing wrong. */
const fewestPutBacks = 3;

/** The number of stops that cut a turn off after which its message is dead: it may stop its own gateway each time. */
export function mostPutBacks({ max_attempts }: Pick<RetrySettings, 'max_attempts'>): number {
  return Math.max(max_attempts, fewestPutBacks);
}

/** `Retry-After` of a full queue: before a turn was measured, and at most. */
const usualRetryAfterSeconds = 5;
const longestRetryAfterSeconds = 300;

/**
 * Seconds until a slot in a full queue is free: a session's when its turn ends, any when one of all that run does.
 *
 * @param turnTimeMs of one turn; null: not known
 */
export function retryAfterSeconds(
  limit: 'session' | 'total',
  turnTimeMs: number | null,
  concurrency: number,
): number {
  if (turnTimeMs === null) return usualRetryAfterSeconds;
  const waitMs = limit === 'session' ? turnTimeMs : turnTimeMs / concurrency;
  return Math.min(Math.max(Math.ceil(waitMs / 1_000), 1), longestRetryAfterSeconds);
}

/** True if the store's record of a message still is this attempt's claim: every new claim adds one to the attempts. */
export function claimStands(
  turn: { readonly attempt: number },
  record: { readonly state: string; readonly attempts: number } | null,
): boolean {
  return record !== null && record.state === 'running' && record.attempts === turn.attempt;
}

/** Each new span counts for an eighth, as in TCP's estimate of the round-trip time (RFC 6298). */
const weight = 1 / 8;

/** The exponentially weighted mean of spans. */
export class MeanTime {
  #meanMs: number | null = null;

  /** The mean so far; null before the first one. */
  get meanMs(): number | null {
    return this.#meanMs;
  }

  add(spanMs: number): void {
    this.#meanMs = this.#meanMs === null ? spanMs : this.#meanMs + (spanMs - this.#meanMs) * weight;
  }
}

/** Why this gateway ended a turn that the agent had not ended. */
export type TurnCutOff = 'timeout' | 'claim-lost' | 'drain' | 'cancelled';

/** The end of an attempt of a turn, for whoever counts them. `failed`: it is tried again, or its message is dead. */
export type AttemptOutcome =
  | 'replied'
  | 'failed'
  | 'timeout'
  | 'cancelled'
  /** A stop cut it off. */
  | 'put_back'
  /** The agent could not be started or reached, so that the attempt doesn't count. */
  | 'not_started'
  /** Its lease ran out, and another gateway has it. */
  | 'claim_lost';

export interface TurnFailure {
  readonly message: string;
  /** False: another attempt can't end otherwise. */
  readonly retry: boolean;
}

/** The record of a turn without a reply. `timeoutMs`: agent.timeout. */
export function failureOf(error: unknown, cutOff: TurnCutOff | null, timeoutMs: number): TurnFailure {
  if (cutOff === 'timeout') {
    return { message: `The agent gave no reply within ${timeoutMs / 1_000} s (agent.timeout).`, retry: true };
  }
  if (error instanceof AgentError) return { message: error.message, retry: error.retry };
  const reason = errorMessage(error);
  return { message: `The agent failed in a way that it should not: ${reason}`, retry: true };
}

/** For a turn that a stop cuts off for the last time. */
export function cutOffTooOften(putBacks: number, mostPutBacks: number): TurnFailure {
  return {
    message: `A stop of the gateway cut its turn off, ${putBacks} of ${mostPutBacks} times (dispatch.max_attempts). An agent that stops or restarts its own gateway ends like this.`,
    retry: false,
  };
}

/** True if a signal ended the agent, of which a stop of the whole unit may be the cause. */
export function wasKilled(error: unknown): boolean {
  return error instanceof AgentError && error.reason === 'killed';
}

/** True if the agent has done nothing, so that the attempt doesn't count. */
export function wasNotStarted(error: unknown): error is AgentError {
  return error instanceof AgentError && error.reason === 'unavailable';
}

/** The journal's fields of a record about a turn. */
export function turnFields(turn: Turn): LogFields {
  return {
    SD_GATEWAY_SESSION: turn.session,
    SD_GATEWAY_MESSAGE: turn.messageId,
    SD_GATEWAY_TURN: turn.turnId,
    SD_GATEWAY_SEQ: turn.seq,
    SD_GATEWAY_ATTEMPT: turn.attempt,
    TRACE_ID: traceIdOf(turn.metadata) ?? undefined,
  };
}
