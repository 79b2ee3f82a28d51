import { type Agent, AgentError, type AgentReply } from '../../agents/agent.js';
import { replyOf } from '../../agents/reply-of.js';
import type { Configuration } from '../../config/schema.js';
import type { Log } from '../../log/log.js';
import type { MessageState, Store, Turn } from '../../store/store.js';
import { RecentNames } from '../recent-names.js';
import { type Clock, systemClock } from '../work/clock.js';
import { LeaseRenewal } from '../work/lease-renewal.js';
import { StoreCalls } from '../work/store-calls.js';
import { Persistence } from '../work/stored-write.js';
import { Claims } from './claims.js';
import { MeanTime } from './mean-time.js';
import { claimStands, mostStops, renewalInterval, retryDelay, roomIn } from './policy.js';
import { type KeptPlace, KeptPlaces } from './slot-reservations.js';
import { type CutOff, cutOffTooOften, type Failure, failureOf, turnFields, wasKilled } from './turn-end.js';

export type DispatchSettings = Pick<
  Configuration['dispatch'],
  'concurrency' | 'max_attempts' | 'retry_delay' | 'lease' | 'policy' | 'collect_limit'
> & {
  /** Longest time of one turn, in milliseconds. */
  readonly timeout: number;
  /** Whether a turn that has begun may be run again. */
  readonly repeatable: boolean;
};

export interface DispatcherOptions {
  readonly store: Pick<
    Store,
    | 'claimTurns'
    | 'renewLeases'
    | 'completeTurn'
    | 'failTurn'
    | 'putBackTurns'
    | 'releaseTurn'
    | 'nextDueInMs'
    | 'message'
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
  /** Turns that came to their own end, or whose message is dead. */
  readonly finished: number;
  /** Turns that were cut off and are queued again. */
  readonly putBack: number;
}

interface RunningTurn {
  readonly turn: Turn;
  readonly abort: AbortController;
  phase: 'agent' | 'writing';
  cutOff: CutOff | null;
  done: Promise<void>;
}

/**
 * `systemctl kill` and the end of a session signal all processes of a unit at once: an agent may die of it before the
 * gateway has begun to stop. In milliseconds.
 */
const stopMoment = 200;

/** More than anybody cancels while a claim is on its way; what is forgotten runs, and its end is refused by the store. */
const mostCancelledEarly = 10_000;

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
  readonly #claims: Claims;
  readonly #persistence: Persistence;
  readonly #renewal: LeaseRenewal;
  readonly #kept: KeptPlaces;
  /** By the turn, not by its message: the next attempt may begin before the end of this one has come back. */
  readonly #running = new Set<RunningTurn>();
  /** Messages that were cancelled while their claim was on its way here. */
  readonly #cancelledEarly = new RecentNames(mostCancelledEarly);
  /** To be queued again. True: cut off by the drain. False: claimed while it began, or its end could not be written. */
  readonly #unfinished = new Map<Turn, boolean>();
  #writing = 0;
  readonly #turnTime = new MeanTime();
  readonly #counts = { replied: 0, failed: 0, dead: 0 };
  #agent: Agent;
  #settings: DispatchSettings;
  #state: DispatcherFacts['state'] = 'open';
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
    this.#claims = new Claims({
      store: this.#store,
      calls: this.#calls,
      clock: this.#clock,
      owner: this.#owner,
      settings: () => this.#settings,
      freePlaces: () => this.#freePlaces(),
      onClaimed: (turn) => this.#takeClaimed(turn),
    });
    this.#kept = new KeptPlaces(
      (turn) => this.#takeClaimed(turn),
      () => this.wake(),
    );
    this.#persistence = new Persistence(this.#calls, this.#clock);
    this.#renewal = new LeaseRenewal({
      clock: this.#clock,
      interval: () => renewalInterval(this.#settings.lease),
      held: () => this.#running.size > 0 || this.#unfinished.size > 0,
      renew: () => this.#renewLeases(),
    });
  }

  /** Something may be ready: a start, an accepted message. Costs nothing when all places are taken. */
  wake(): void {
    this.#claims.wake();
  }

  /** Keeps a place for the turn of a message that is about to be accepted; null: none is free. */
  keepPlace(): KeptPlace | null {
    if (this.#freePlaces() - this.#claims.asking < 1) return null;
    return this.#kept.keep({ owner: this.#owner, leaseMs: this.#settings.lease });
  }

  /** Takes a reloaded configuration: the next turns go by it. */
  configure(agent: Agent, settings: DispatchSettings): void {
    this.#agent = agent;
    this.#settings = settings;
    this.wake();
  }

  /** The message is cancelled, and that is on disk: ends its turn, if it runs here. */
  cancel(messageId: string): void {
    let runs = false;
    for (const running of this.#running) {
      if (running.turn.messageId !== messageId) continue;
      runs ||= running.phase === 'agent';
      this.#cutOff(running, 'cancelled');
    }
    // It may have been claimed in the transaction that cancelled it, or just before.
    if (!this.#claimsComing) this.#cancelledEarly.clear();
    else if (!runs) this.#cancelledEarly.add(messageId);
  }

  /** Seconds after which a full queue may have room again, as far as the turns so far tell. */
  roomIn(limit: 'session' | 'total'): number {
    return roomIn(limit, this.#turnTime.mean, this.#settings.concurrency);
  }

  get #claimsComing(): boolean {
    return this.#claims.underWay || this.#kept.count > 0;
  }

  /** Beside the turns whose agent runs. */
  #freePlaces(): number {
    if (this.#state !== 'open') return 0;
    return this.#settings.concurrency - (this.#running.size - this.#writing) - this.#kept.count;
  }

  facts(): DispatcherFacts {
    return {
      state: this.#state,
      running: this.#running.size,
      writing: this.#writing,
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

  #takeClaimed(turn: Turn): void {
    if (this.#state === 'open') this.#start(turn);
    else this.#unfinished.set(turn, false);
  }

  #start(turn: Turn): void {
    const running: RunningTurn = {
      turn,
      abort: new AbortController(),
      phase: 'agent',
      cutOff: this.#cancelledEarly.delete(turn.messageId) ? 'cancelled' : null,
      done: Promise.resolve(),
    };
    this.#running.add(running);
    this.#tell(turn, 'running');
    this.#log.debug('A turn begins.', { ...turnFields(turn), SD_GATEWAY_TEXT: turn.text });
    const began = performance.now();
    running.done = this.#run(running).finally(() => {
      this.#turnTime.add(performance.now() - began);
      this.#running.delete(running);
      this.#writing -= 1;
      this.#renewal.released();
    });
    this.#renewal.claimed();
  }

  async #run(running: RunningTurn): Promise<void> {
    const result = await this.#runAgent(running);
    running.phase = 'writing';
    this.#writing += 1;
    const written = this.#writeEnd(running, result);
    // In the same transaction as that end, where it is written at once.
    this.#claims.wakeForNext();
    // Where it was not, that claim came too early.
    if ((await written) > 1) this.#claims.wakeForNext();
  }

  /** Gives how often it was tried. */
  async #writeEnd(
    running: RunningTurn,
    result: { readonly reply: AgentReply } | { readonly failure: Failure },
  ): Promise<number> {
    const { turn } = running;
    if ('failure' in result) return this.#endWithoutReply(running, result.failure);
    return this.#write(turn, async () => {
      if (!(await this.#store.completeTurn(turn, result.reply))) return false;
      this.#counts.replied += 1;
      this.#log.debug('A turn has its reply.', {
        ...turnFields(turn),
        SD_GATEWAY_REPLY: result.reply.text,
      });
      this.#tell(turn, 'replied');
      return true;
    });
  }

  async #runAgent(running: RunningTurn): Promise<{ reply: AgentReply } | { failure: Failure }> {
    const { turnId, messageId, session, seq, attempt, putBacks, text, metadata, sender, collected } =
      running.turn;
    const request = { turnId, messageId, session, seq, attempt, putBacks, text, metadata, sender, collected };
    const timeout = this.#settings.timeout;
    if (running.cutOff !== null) return { failure: failureOf(null, running.cutOff, timeout) };
    // After a pause of the whole process the result may be there already, and is read first.
    const cancelTimeout = this.#clock.after(timeout, () =>
      setImmediate(() => this.#cutOff(running, 'timeout')),
    );
    try {
      return { reply: await replyOf(this.#agent.run(request, running.abort.signal)) };
    } catch (error) {
      if (running.cutOff === null && wasKilled(error) && (await this.#stopFollows()))
        running.cutOff = 'drain';
      return { failure: failureOf(error, running.cutOff, timeout) };
    } finally {
      cancelTimeout();
    }
  }

  /** Whether the gateway is stopping, or is told to within a moment. */
  async #stopFollows(): Promise<boolean> {
    if (this.#state === 'open') await new Promise<void>((resolve) => this.#clock.after(stopMoment, resolve));
    return this.#state !== 'open';
  }

  async #endWithoutReply(running: RunningTurn, failure: Failure): Promise<number> {
    const { turn, cutOff } = running;
    const { repeatable } = this.#settings;
    if (cutOff === 'claim-lost') return 0;
    if (cutOff === 'cancelled') return this.#write(turn, () => this.#store.releaseTurn(turn));
    if (cutOff !== 'drain' || !repeatable) return this.#write(turn, () => this.#fail(turn, failure));
    const stops = turn.putBacks + 1;
    const most = mostStops(this.#settings);
    if (stops >= most) return this.#write(turn, () => this.#fail(turn, cutOffTooOften(stops, most)));
    this.#unfinished.set(turn, true);
    return 0;
  }

  async #fail(turn: Turn, failure: Failure): Promise<boolean> {
    const { repeatable } = this.#settings;
    const retry = failure.retry && repeatable;
    const delay = retryDelay({ attempt: turn.attempt, retry }, this.#settings);
    const message = repeatable ? failure.message : `${failure.message} (agent.retry is "never")`;
    if (!(await this.#store.failTurn(turn, message, delay))) return false;
    this.#counts.failed += 1;
    if (delay === null) this.#counts.dead += 1;
    else this.#claims.dueIn(delay);
    const record = delay === null ? 'err' : 'warning';
    const next = delay === null ? 'its message is dead' : `tried again in ${delay / 1_000} s`;
    this.#log[record](`Attempt ${turn.attempt} of a turn failed, ${next}: ${message}`, turnFields(turn));
    this.#tell(turn, delay === null ? 'dead' : 'queued');
    return true;
  }

  async #write(turn: Turn, write: () => Promise<boolean>): Promise<number> {
    const { result, tries } = await this.#persistence.write(write);
    if (result === 'claim-lost' && !(await this.#isCancelled(turn))) this.#noteLostClaim(turn);
    if (result === 'given-up') {
      const { repeatable } = this.#settings;
      if (repeatable) this.#unfinished.set(turn, false);
      const next = repeatable ? 'the turn is run again' : 'the next start sets its message aside';
      this.#log.err(
        `The store did not take the end of a turn before the gateway had to stop; ${next}.`,
        turnFields(turn),
      );
    }
    return tries;
  }

  /** Whether that is why the store did not take the end of the turn. */
  async #isCancelled(turn: Turn): Promise<boolean> {
    try {
      // Not by StoreCalls: nothing comes of it later that would show that a trouble is over.
      return (await this.#store.message(turn.messageId))?.state === 'cancelled';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warning(
        `Why the store did not take the end of a turn can’t be told: ${reason}`,
        turnFields(turn),
      );
      return false;
    }
  }

  #cutOff(running: RunningTurn, reason: CutOff): void {
    if (running.phase !== 'agent' || running.cutOff !== null) return;
    running.cutOff = reason;
    running.abort.abort(new AgentError('cancelled', `The turn was cut off: ${reason}.`, true));
  }

  async #renewLeases(): Promise<void> {
    const before = [...this.#running].filter((running) => running.phase === 'agent');
    // The store counts what it holds at that moment, to which a claim or an end under way may or may not belong.
    const countsAgree = before.length === this.#running.size && !this.#claimsComing;
    await this.#calls.run('renew leases', async () => {
      const held = await this.#store.renewLeases(this.#owner, this.#settings.lease);
      if (countsAgree && held.turns === before.length) return;
      for (const running of before) await this.#cutOffIfLost(running);
    });
  }

  async #cutOffIfLost(running: RunningTurn): Promise<void> {
    if (running.phase !== 'agent') return;
    const { turn } = running;
    const record = await this.#store.message(turn.messageId);
    if (running.phase !== 'agent' || claimStands(turn, record)) return;
    // It still holds its session, for whoever runs it to give free.
    if (record?.state === 'cancelled' && record.attempts === turn.attempt) {
      this.#cutOff(running, 'cancelled');
      return;
    }
    this.#noteLostClaim(turn);
    this.#cutOff(running, 'claim-lost');
  }

  #noteLostClaim(turn: Turn): void {
    this.#log.warning(
      'The lease on a turn ran out before it was renewed, and another gateway has the turn now; what was done here is dropped.',
      turnFields(turn),
    );
  }

  async #drainOnce(patience: number, signal: AbortSignal | undefined): Promise<DrainOutcome> {
    this.#state = 'draining';
    const claimed = Promise.all([this.#claims.stop(), this.#kept.settled()]);
    const began = { ...this.#counts };
    const cutOffAll = () => this.#cutOffAll();
    const cancelDeadline = this.#clock.after(patience, cutOffAll);
    signal?.addEventListener('abort', cutOffAll);
    if (signal?.aborted || patience <= 0) cutOffAll();
    await claimed;
    await Promise.all([...this.#running].map((running) => running.done));
    cancelDeadline();
    signal?.removeEventListener('abort', cutOffAll);
    const putBack = await this.#putBack();
    this.#state = 'drained';
    this.#renewal.stop();
    const finished = this.#counts.replied - began.replied + this.#counts.failed - began.failed;
    return { finished, putBack };
  }

  #cutOffAll(): void {
    this.#persistence.hurry();
    for (const running of this.#running) this.#cutOff(running, 'drain');
  }

  async #putBack(): Promise<number> {
    // The oldest message first, as the store keeps the order given.
    const turns = [...this.#unfinished.keys()].sort((a, b) => a.acceptedAt - b.acceptedAt || a.seq - b.seq);
    if (turns.length === 0) return 0;
    const isCutOff = (turn: Turn) => this.#unfinished.get(turn) === true;
    try {
      const count = await this.#calls.run('queue turns again', () =>
        this.#store.putBackTurns(turns.map((turn) => ({ ...turn, cutOff: isCutOff(turn) }))),
      );
      for (const turn of turns) {
        if (isCutOff(turn)) this.#logPutBack(turn);
        this.#tell(turn, 'queued');
      }
      return count;
    } catch {
      // On record by StoreCalls; the turns still stand there as running.
      this.#log.err(`${turns.length} turns could not be queued again now; the next start does it.`);
      return 0;
    }
  }

  #logPutBack(turn: Turn): void {
    const times = `${turn.putBacks + 1} of ${mostStops(this.#settings)} times (dispatch.max_attempts)`;
    this.#log.notice(`The stop cut a turn off, which is put back: ${times}`, turnFields(turn));
  }

  #tell(turn: Turn, state: MessageState): void {
    try {
      this.#onChange(turn, state);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.err(`Who follows a message could not be told of its change: ${reason}`, turnFields(turn));
    }
  }
}
