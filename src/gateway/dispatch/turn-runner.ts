import { type AgentEvent, CutOffError } from '../../agents/agent.js';
import { replyOf } from '../../agents/reply-of.js';
import type { MessageProgress } from '../../channels/surroundings.js';
import type { Clock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';
import type { Reply, TokenUsage } from '../../store/messages.js';
import { type AttachmentLimits, NewAttachments } from '../../store/new-attachments.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import type { TracedWork } from '../traces/tracer.js';
import type { AgentHolds } from './agent-holds.js';
import type { AgentLoads } from './agent-loads.js';
import { type AgentRequestStore, agentRequest } from './agent-request.js';
import type { TurnAgent } from './agents.js';
import {
  type AttemptOutcome,
  failureOf,
  type TurnCutOff,
  type TurnFailure,
  turnFields,
  wasKilled,
  wasNotStarted,
} from './policy.js';
import { TurnDeltas } from './turn-deltas.js';
import type { TurnQuestions } from './turn-questions.js';
import { allowedTurn, notAllowedReason, type SendersOf, type TurnSenders } from './turn-senders.js';
import { TurnTimer } from './turn-timer.js';

/** A turn that runs here, until its end is written. */
export class RunningTurn {
  readonly turn: Turn;
  readonly agent: TurnAgent;
  phase: 'agent' | 'writing' = 'agent';
  cutOff: TurnCutOff | null = null;
  /** Known once its end is written. */
  outcome: AttemptOutcome = 'failed';
  /** Its agent calls back: when the turn runs again, it goes on where it was. */
  resumes = false;
  done: Promise<void> = Promise.resolve();
  readonly #abort = new AbortController();

  /** `trace`: that of the turn. */
  constructor(
    turn: Turn,
    agent: TurnAgent,
    readonly trace: TracedWork,
  ) {
    this.turn = turn;
    this.agent = agent;
  }

  /** Aborted when its agent has to end. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Has its agent end, unless it has ended or is told to already. */
  end(reason: TurnCutOff): void {
    if (this.phase !== 'agent' || this.cutOff !== null) return;
    this.cutOff = reason;
    this.#abort.abort(new CutOffError(reason));
  }
}

export type TurnResult =
  | { readonly reply: Reply }
  | { readonly failure: TurnFailure }
  /** The agent has done nothing. */
  | { readonly notStarted: true };

type Allowed = { readonly turn: Turn; readonly senders: TurnSenders } | { readonly failure: TurnFailure };

export interface TurnRunnerOptions {
  readonly store: Pick<Store, 'appendDeltas' | 'putBlob' | 'removeBlob'> & AgentRequestStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly holds: AgentHolds;
  readonly loads: AgentLoads;
  readonly questions: TurnQuestions;
  /** Looks the authors of a turn up, as it begins. */
  readonly sendersOf: SendersOf;
  /** Bounds of the files of a reply. */
  readonly attachmentLimits: () => AttachmentLimits;
  /** False once the gateway stops. */
  readonly isOpen: () => boolean;
  /** Told what a turn under way has done. */
  readonly onProgress: (turn: Turn, progress: MessageProgress) => void;
}

/**
 * `systemctl kill` and the end of a session signal all processes of a unit at once: an agent may die of it before the
 * gateway has begun to stop.
 */
const stopSignalGraceMs = 200;

/** Has an agent run a turn, with what it asks and writes meanwhile. */
export class TurnRunner {
  readonly #options: TurnRunnerOptions;

  constructor(options: TurnRunnerOptions) {
    this.#options = options;
  }

  /** Resolves when the agent has ended; never rejects. */
  async run(running: RunningTurn): Promise<TurnResult> {
    const { store, clock, log, holds, loads, questions, attachmentLimits, isOpen, onProgress } =
      this.#options;
    const { turn, signal } = running;
    const { name, agent, timeout } = running.agent;
    const looked = this.#allowed(turn);
    const allowed = looked instanceof Promise ? await looked : looked;
    if ('failure' in allowed) return allowed;
    if (running.cutOff !== null) return { failure: failureOf(null, running.cutOff, timeout) };
    const starts = holds.of(name);
    // It was claimed before that was known.
    if (starts.waitMs !== null || loads.isExceeded(name)) return { notStarted: true };
    starts.begun();
    // After a pause of the whole process the result may be there already, and is read first.
    const timer = new TurnTimer(clock, timeout, () => setImmediate(() => running.end('timeout')));
    const files = new NewAttachments(store, attachmentLimits());
    const deltas = new TurnDeltas(turn, { store, clock, log, onProgress });
    let usage: TokenUsage | null = null;
    const onEvent = (event: AgentEvent) => {
      starts.succeeded();
      if (event.type === 'started') deltas.begin();
      else if (event.type === 'delta') deltas.add(event.text);
      else if (event.type === 'status') onProgress(turn, event);
      else if (event.type === 'usage') usage = event.usage;
      else if (event.type === 'question' && isOpen()) questions.ask(turn, event, timer, signal);
      // A stop doesn't wait for a person. The next attempt asks.
      else if (event.type === 'question') running.end('drain');
      else if (event.type === 'waits') this.#waitForCallback(running);
    };
    try {
      const request = agentRequest(store, name, allowed.turn, files, allowed.senders);
      const { traceparent } = running.trace;
      const reply = await replyOf(agent.run({ ...request, traceparent }, signal), onEvent);
      starts.succeeded();
      return { reply: usage === null ? reply : { ...reply, usage } };
    } catch (error) {
      await Promise.all([files.discard(), deltas.flush()]);
      if (running.cutOff !== null) starts.inconclusive();
      else if (wasNotStarted(error)) {
        if (isOpen()) starts.failed(error.message, error.retryAfterMs);
        return { notStarted: true };
      } else starts.succeeded();
      if (running.cutOff === null && wasKilled(error) && (await this.#stopFollows()))
        running.cutOff = 'drain';
      return { failure: failureOf(error, running.cutOff, timeout) };
    } finally {
      timer.cancel();
      deltas.end();
      questions.end(turn);
    }
  }

  /** The turn without what was written by people who may no longer write. Most channels need no look-up for that. */
  #allowed(turn: Turn): Allowed | Promise<Allowed> {
    const failed = (error: unknown): Allowed => {
      const message = `The gateway could not find out if the author may write: ${errorMessage(error)}`;
      return { failure: { message, retry: true } };
    };
    const looked = this.#options.sendersOf(turn);
    return looked instanceof Promise
      ? looked.then((senders) => this.#allowedBy(turn, senders), failed)
      : this.#allowedBy(turn, looked);
  }

  #allowedBy(turn: Turn, senders: TurnSenders): Allowed {
    const allowed = allowedTurn(turn, senders);
    if (allowed === null) {
      return { failure: { message: notAllowedReason(turn.sender, turn.channel), retry: false } };
    }
    const leftOut = turn.collected.length - allowed.collected.length;
    if (leftOut > 0) {
      const reason = `${leftOut} messages of a turn are left out, as their authors may no longer write.`;
      this.#options.log.warning(reason, turnFields(turn));
    }
    return { turn: allowed, senders };
  }

  /** True if the gateway is stopping, or is told to within a moment. */
  async #stopFollows(): Promise<boolean> {
    const { clock, isOpen } = this.#options;
    if (isOpen()) await new Promise<void>((resolve) => clock.after(stopSignalGraceMs, resolve));
    return !isOpen();
  }

  /** A stop doesn't wait for what may take an hour. */
  #waitForCallback(running: RunningTurn): void {
    running.resumes = true;
    this.#options.questions.waitForCallback(running.turn);
    if (!this.#options.isOpen()) running.end('drain');
  }
}
