import { type Agent, AgentError, type AgentReply } from '../agents/agent.js';
import type { Configuration } from '../config/schema.js';
import type { Log } from '../log/log.js';
import { type MessageState, type Store, StoreError, type Turn } from '../store/store.js';
import { type Clock, systemClock } from './dispatch-clock.js';
import { claimStands, pauseUntilDue, renewalInterval, retryAt, storeDelay } from './dispatch-policy.js';
import { StoreCalls } from './dispatch-store-calls.js';

export type DispatchSettings = Pick<
  Configuration['dispatch'],
  'concurrency' | 'max_attempts' | 'retry_delay' | 'lease'
> & {
  /** Longest time of one turn, in milliseconds. */
  readonly timeout: number;
};

export interface DispatcherOptions {
  readonly store: Pick<
    Store,
    'claimTurns' | 'renewLeases' | 'completeTurn' | 'failTurn' | 'putBackTurns' | 'nextDueAt' | 'message'
  >;
  readonly agent: Agent;
  readonly log: Log;
  /** Who claims: one id for each start of a gateway. */
  readonly owner: string;
  readonly settings: DispatchSettings;
  /** A turn's message has got to this state, and that is on disk (for `running`, `queued`: begins, tries again). */
  readonly onChange: (turn: Turn, state: MessageState) => void;
  readonly clock?: Clock;
}

export interface DispatcherFacts {
  readonly state: 'open' | 'draining' | 'drained';
  /** Turns under way, those whose end is being written among them. */
  readonly running: number;
  /** Turns whose reply or failure is being written. */
  readonly writing: number;
  /** Since this start: turns that replied, attempts that failed, messages that ended as dead. */
  readonly replied: number;
  readonly failed: number;
  readonly dead: number;
  /** Why the last call to the store failed; null when it did not. */
  readonly storeTrouble: string | null;
  /** Now, unless a call to the store is unanswered: then when it was made. Milliseconds since the Unix epoch. */
  readonly lastProgressAt: number;
}

export interface DrainOutcome {
  /** Turns that came to their own end. */
  readonly finished: number;
  /** Turns that were cut off and are queued again. */
  readonly putBack: number;
}

/** Why this gateway ended a turn that the agent had not ended. */
type CutOff = 'timeout' | 'claim-lost' | 'drain';

interface RunningTurn {
  readonly turn: Turn;
  readonly abort: AbortController;
  phase: 'agent' | 'writing';
  cutOff: CutOff | null;
  done: Promise<void>;
}

/**
 * Claims turns from the store up to its concurrency, has the agent run them, and writes how they ended. Who runs a
 * session stands in the store alone, so that several gateways may share one.
 */
export class Dispatcher {
  readonly #store: DispatcherOptions['store'];
  readonly #log: Log;
  readonly #owner: string;
  readonly #onChange: DispatcherOptions['onChange'];
  readonly #clock: Clock;
  readonly #calls: StoreCalls;
  readonly #running = new Map<string, RunningTurn>();
  /** Cut off by the drain, or claimed while it began: to be queued again. */
  readonly #unfinished = new Set<Turn>();
  /** Aborted once nothing may be tried for longer. */
  readonly #giveUp = new AbortController();
  readonly #counts = { replied: 0, failed: 0, dead: 0 };
  #agent: Agent;
  #settings: DispatchSettings;
  #state: DispatcherFacts['state'] = 'open';
  #wanted = false;
  #claiming: Promise<void> | null = null;
  #claimFailures = 0;
  #renewing = false;
  #cancelWake: (() => void) | null = null;
  #cancelRenewal: (() => void) | null = null;
  #drain: Promise<DrainOutcome> | null = null;

  constructor(options: DispatcherOptions) {
    this.#store = options.store;
    this.#agent = options.agent;
    this.#log = options.log;
    this.#owner = options.owner;
    this.#settings = options.settings;
    this.#onChange = options.onChange;
    this.#clock = options.clock ?? systemClock;
    this.#calls = new StoreCalls(this.#log, this.#clock);
  }

  /** Something may be ready: a start, an accepted message. Costs nothing when all places are taken. */
  wake(): void {
    // The end of a turn wakes again, and so does the wait after a failure of the store.
    const backingOff = this.#claimFailures > 0 && this.#cancelWake !== null;
    if (this.#freePlaces() < 1 || backingOff) return;
    this.#wanted = true;
    this.#claiming ??= this.#claimWhileWanted();
  }

  /** Takes a reloaded configuration: the next turns go by it. */
  configure(agent: Agent, settings: DispatchSettings): void {
    this.#agent = agent;
    this.#settings = settings;
    this.wake();
  }

  facts(): DispatcherFacts {
    let writing = 0;
    for (const running of this.#running.values()) if (running.phase === 'writing') writing += 1;
    return {
      state: this.#state,
      running: this.#running.size,
      writing,
      ...this.#counts,
      storeTrouble: this.#calls.trouble,
      lastProgressAt: this.#calls.waitingSince ?? this.#clock.now(),
    };
  }

  /**
   * Claims no more. Running turns may go on for `patience` milliseconds, or until `signal` is aborted; then they are
   * cut off, and once each has ended they are queued again. Nothing runs when the promise resolves.
   */
  drain(patience: number, signal?: AbortSignal): Promise<DrainOutcome> {
    this.#drain ??= this.#drainOnce(patience, signal);
    return this.#drain;
  }

  #freePlaces(): number {
    return this.#state === 'open' ? this.#settings.concurrency - this.#running.size : 0;
  }

  async #claimWhileWanted(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false;
      this.#cancelWake?.();
      this.#cancelWake = null;
      const limit = this.#freePlaces();
      if (limit < 1) break;
      try {
        const turns = await this.#claim(limit);
        this.#claimFailures = 0;
        if (this.#wanted || turns.length === limit || this.#state !== 'open') continue;
        const due = await this.#calls.run('hand out turns', () => this.#store.nextDueAt(this.#owner));
        this.#wakeAfter(pauseUntilDue(due, this.#clock.now(), this.#settings.lease));
      } catch {
        // On record by StoreCalls.
        this.#claimFailures += 1;
        this.#wanted = false;
        this.#wakeAfter(storeDelay(this.#claimFailures));
      }
    }
    this.#claiming = null;
  }

  async #claim(limit: number): Promise<readonly Turn[]> {
    const turns = await this.#calls.run('hand out turns', () => {
      const now = this.#clock.now();
      const leaseUntil = now + this.#settings.lease;
      return this.#store.claimTurns({ owner: this.#owner, limit, now, leaseUntil });
    });
    for (const turn of turns) {
      if (this.#state === 'open') this.#start(turn);
      else this.#unfinished.add(turn);
    }
    return turns;
  }

  #wakeAfter(milliseconds: number): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
    if (this.#state !== 'open') return;
    this.#cancelWake = this.#clock.after(milliseconds, () => {
      this.#cancelWake = null;
      this.wake();
    });
  }

  #start(turn: Turn): void {
    const running: RunningTurn = {
      turn,
      abort: new AbortController(),
      phase: 'agent',
      cutOff: null,
      done: Promise.resolve(),
    };
    this.#running.set(turn.messageId, running);
    this.#tell(turn, 'running');
    running.done = this.#run(running).finally(() => {
      this.#running.delete(turn.messageId);
      if (this.#running.size === 0 && this.#state === 'open') this.#stopRenewals();
      this.wake();
    });
    if (this.#cancelRenewal === null && !this.#renewing)
      this.#renewAfter(renewalInterval(this.#settings.lease));
  }

  async #run(running: RunningTurn): Promise<void> {
    const { turn } = running;
    const timeout = this.#settings.timeout;
    const cancelTimeout = this.#clock.after(timeout, () => this.#cutOff(running, 'timeout'));
    let reply: AgentReply;
    try {
      reply = await this.#agent.run(
        {
          turnId: turn.turnId,
          messageId: turn.messageId,
          session: turn.session,
          seq: turn.seq,
          attempt: turn.attempt,
          text: turn.text,
          metadata: turn.metadata,
        },
        running.abort.signal,
      );
    } catch (error) {
      await this.#endWithoutReply(running, failureOf(error, running.cutOff, timeout));
      return;
    } finally {
      cancelTimeout();
      running.phase = 'writing';
    }
    await this.#write(turn, async () => {
      if (!(await this.#store.completeTurn(turn, reply, this.#clock.now()))) return false;
      this.#counts.replied += 1;
      this.#tell(turn, 'replied');
      return true;
    });
  }

  async #endWithoutReply(running: RunningTurn, failure: Failure): Promise<void> {
    const { turn, cutOff } = running;
    if (cutOff === 'claim-lost') return;
    if (cutOff === 'drain') {
      this.#unfinished.add(turn);
      return;
    }
    await this.#write(turn, async () => {
      const now = this.#clock.now();
      const again = retryAt({ attempt: turn.attempt, retry: failure.retry, now }, this.#settings);
      if (!(await this.#store.failTurn(turn, failure.message, again, now))) return false;
      this.#counts.failed += 1;
      if (again === null) this.#counts.dead += 1;
      const record = again === null ? 'err' : 'warning';
      const next = again === null ? 'its message is dead' : `tried again in ${(again - now) / 1_000} s`;
      this.#log[record](
        `Attempt ${turn.attempt} of a turn failed, ${next}: ${failure.message}`,
        fields(turn),
      );
      this.#tell(turn, again === null ? 'dead' : 'queued');
      return true;
    });
  }

  /** Tries until the store has it: a reply that the agent has given is neither lost nor made a second time. */
  async #write(turn: Turn, write: () => Promise<boolean>): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      const lastTry = this.#giveUp.signal.aborted;
      try {
        if (!(await this.#calls.run('write the end of a turn', write))) this.#noteLostClaim(turn);
        return;
      } catch (error) {
        if (lastTry || (error instanceof StoreError && error.reason === 'closed')) {
          const message = `The store did not take the end of a turn before the gateway had to stop; the turn is run again.`;
          this.#log.err(message, fields(turn));
          this.#unfinished.add(turn);
          return;
        }
      }
      await this.#pause(storeDelay(failures));
    }
  }

  /** Ends early when nothing may be tried for longer. */
  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#giveUp;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.after(milliseconds, end);
      signal.addEventListener('abort', end);
    });
  }

  #cutOff(running: RunningTurn, reason: CutOff): void {
    if (running.phase !== 'agent' || running.cutOff !== null) return;
    running.cutOff = reason;
    running.abort.abort(new AgentError('cancelled', `The turn was cut off: ${reason}.`, true));
  }

  #renewAfter(milliseconds: number): void {
    this.#cancelRenewal = this.#clock.after(milliseconds, () => {
      this.#cancelRenewal = null;
      this.#renewing = true;
      void this.#renew().then((next) => {
        this.#renewing = false;
        if (this.#running.size > 0 || this.#state === 'draining') this.#renewAfter(next);
      });
    });
  }

  #stopRenewals(): void {
    this.#cancelRenewal?.();
    this.#cancelRenewal = null;
  }

  /** Gives the time until the next renewal. */
  async #renew(): Promise<number> {
    const interval = renewalInterval(this.#settings.lease);
    const before = [...this.#running.values()].filter((running) => running.phase === 'agent');
    // The store counts what it holds at that moment, to which a claim or an end under way may or may not belong.
    const countsAgree = before.length === this.#running.size && this.#claiming === null;
    try {
      const held = await this.#calls.run('renew leases', () =>
        this.#store.renewLeases(this.#owner, this.#clock.now() + this.#settings.lease),
      );
      if (countsAgree && held.turns === before.length) return interval;
      for (const running of before) await this.#cutOffIfLost(running);
      return interval;
    } catch {
      // On record by StoreCalls.
      return Math.min(interval, 1_000);
    }
  }

  async #cutOffIfLost(running: RunningTurn): Promise<void> {
    if (running.phase !== 'agent') return;
    const { turn } = running;
    const record = await this.#calls.run('renew leases', () => this.#store.message(turn.messageId));
    if (running.phase !== 'agent' || claimStands(turn, record)) return;
    this.#noteLostClaim(turn);
    this.#cutOff(running, 'claim-lost');
  }

  #noteLostClaim(turn: Turn): void {
    this.#log.warning(
      'The lease on a turn ran out before it was renewed, and another gateway has the turn now; what was done here is dropped.',
      fields(turn),
    );
  }

  async #drainOnce(patience: number, signal: AbortSignal | undefined): Promise<DrainOutcome> {
    this.#state = 'draining';
    this.#wanted = false;
    this.#cancelWake?.();
    this.#cancelWake = null;
    const began = { ...this.#counts };
    const cutOffAll = () => this.#cutOffAll();
    const cancelDeadline = this.#clock.after(patience, cutOffAll);
    signal?.addEventListener('abort', cutOffAll);
    if (signal?.aborted || patience <= 0) cutOffAll();
    await this.#claiming;
    await Promise.all([...this.#running.values()].map((running) => running.done));
    cancelDeadline();
    signal?.removeEventListener('abort', cutOffAll);
    const putBack = await this.#putBack();
    this.#state = 'drained';
    this.#stopRenewals();
    const finished = this.#counts.replied - began.replied + this.#counts.failed - began.failed;
    return { finished, putBack };
  }

  #cutOffAll(): void {
    this.#giveUp.abort();
    for (const running of this.#running.values()) this.#cutOff(running, 'drain');
  }

  async #putBack(): Promise<number> {
    // The oldest message first, as the store keeps the order given.
    const turns = [...this.#unfinished].sort((a, b) => a.acceptedAt - b.acceptedAt || a.seq - b.seq);
    if (turns.length === 0) return 0;
    try {
      const count = await this.#calls.run('queue turns again', () =>
        this.#store.putBackTurns(turns, this.#clock.now()),
      );
      for (const turn of turns) this.#tell(turn, 'queued');
      return count;
    } catch {
      // On record by StoreCalls; the turns still stand there as running.
      this.#log.err(`${turns.length} turns could not be queued again now; the next start does it.`);
      return 0;
    }
  }

  #tell(turn: Turn, state: MessageState): void {
    try {
      this.#onChange(turn, state);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.err(`Who follows a message could not be told of its change: ${reason}`, fields(turn));
    }
  }
}

interface Failure {
  readonly message: string;
  readonly retry: boolean;
}

/** What goes on record of a turn without a reply. */
function failureOf(error: unknown, cutOff: CutOff | null, timeout: number): Failure {
  if (cutOff === 'timeout') {
    return { message: `The agent gave no reply within ${timeout / 1_000} s (agent.timeout).`, retry: true };
  }
  if (error instanceof AgentError) return { message: error.message, retry: error.retry };
  const reason = error instanceof Error ? error.message : String(error);
  return { message: `The agent failed in a way that it should not: ${reason}`, retry: true };
}

function fields(turn: Turn) {
  return {
    SD_GATEWAY_SESSION: turn.session,
    SD_GATEWAY_MESSAGE: turn.messageId,
    SD_GATEWAY_TURN: turn.turnId,
    SD_GATEWAY_SEQ: turn.seq,
    SD_GATEWAY_ATTEMPT: turn.attempt,
  };
}
