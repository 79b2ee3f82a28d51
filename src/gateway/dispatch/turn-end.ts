import { AgentError } from '../../agents/agent.js';
import type { LogFields } from '../../log/log.js';
import type { Turn } from '../../store/turns.js';

/** Why this gateway ended a turn that the agent had not ended. */
export type TurnCutOff = 'timeout' | 'claim-lost' | 'drain' | 'cancelled';

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
  const reason = error instanceof Error ? error.message : String(error);
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
  };
}
