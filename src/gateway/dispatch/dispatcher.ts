import type { MessageProgress } from '../../channels/surroundings.js';
import type { Configuration } from '../../config/schema.js';
import { type Clock, systemClock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';
import type { MessageState } from '../../store/messages.js';
import type { AttachmentLimits } from '../../store/new-attachments.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { traceparentOf } from '../../text/trace-context.js';
import { noSpans, type Tracer } from '../traces/tracer.js';
import { type DrainOutcome, WorkLoop, type WorkLoopFacts } from '../work/work-loop.js';
import { type AgentHold, AgentHolds } from './agent-holds.js';
import { AgentLoads } from './agent-loads.js';
import type { AgentRequestStore } from './agent-request.js';
import type { TurnAgent, TurnAgents } from './agents.js';
import {
  type AttemptOutcome,
  claimStands,
  cutOffTooOften,
  MeanTime,
  mostPutBacks,
  retryAfterSeconds,
  turnFields,
} from './policy.js';
import { RecentNames } from './recent-names.js';
import { type SlotReservation, SlotReservations } from './slot-reservations.js';
import { type AskPerson, TurnQuestions } from './turn-questions.js';
import { TurnRecords } from './turn-records.js';
import { RunningTurn, type TurnResult, TurnRunner } from './turn-runner.js';
import { plainSenders, type SendersOf } from './turn-senders.js';

export type DispatchSettings = Pick<
  Configuration['dispatch'],
  'concurrency' | 'max_attempts' | 'retry_delay' | 'lease' | 'policy' | 'collect_limit'
>;

export interface DispatcherOptions {
  readonly store: Pick<
    Store,
    | 'claimTurns'
    | 'renewLeases'
    | 'completeTurn'
    | 'failTurn'
    | 'putBackTurns'
    | 'releaseTurn'
    | 'setTurnWait'
    | 'appendDeltas'
    | 'nextDueInMs'
    | 'message'
    | 'putBlob'
    | 'removeBlob'
  > &
    AgentRequestStore;
  readonly agents: TurnAgents;
  /** Asks a person what an agent asks. Default: nobody is there to answer. */
  readonly ask?: AskPerson;
  /** Looks the authors of a turn up, as it begins. Default: no more is known than their ids. */
  readonly sendersOf?: SendersOf;
  readonly log: Log;
  /** The claimant: one id for each start of a gateway. */
  readonly owner: string;
  readonly settings: DispatchSettings;
  /** Bounds of the files of a reply. Default: it has none. */
  readonly attachmentLimits?: () => AttachmentLimits;
  /** A turn's message has got to this state, and that is on disk (for `running`, `queued`: begins, tries again). */
  readonly onChange: (turn: Turn, state: MessageState) => void;
  /** True if somebody waits for the turn's end. Default: nobody does. */
  readonly isAwaited?: (turn: Turn) => boolean;
  /** Makes a span of each attempt. Default: traces are passed on as they came. */
  readonly tracer?: Pick<Tracer, 'begin'>;
  /** Told how an attempt has ended, and how long it took. Default: nobody is. */
  readonly onEnd?: (agent: string, outcome: AttemptOutcome, durationMs: number) => void;
  /** Told what a turn under way has done. Default: nobody is. */
  readonly onProgress?: (turn: Turn, progress: MessageProgress) => void;
  readonly clock?: Clock;
}

export interface DispatcherFacts extends WorkLoopFacts {
  /** Turns under way, those whose end is being written among them. */
  readonly running: number;
  /** Turns whose reply or failure is being written. */
  readonly writing: number;
  /** Since this start: turns that replied, attempts that failed, messages that ended as dead. */
  readonly replied: number;
  readonly failed: number;
  readonly dead: number;
  /** Agents that can't be started, by their names. */
  readonly agentHolds: ReadonlyMap<string, AgentHold>;
}

const noAttachments: AttachmentLimits = { count: 0, fileBytes: 0, totalBytes: 0 };

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
  readonly #clock: Clock;
  readonly #work: WorkLoop<Turn>;
  readonly #records: TurnRecords;
  readonly #reservations: SlotReservations;
  readonly #holds: AgentHolds;
  readonly #loads: AgentLoads;
  /** By the turn, not by its message: the next attempt may begin before the end of this one has come back. */
  readonly #running = new Set<RunningTurn>();
  /** Messages that were cancelled while their claim was on its way here. */
  readonly #cancelledEarly = new RecentNames(mostCancelledEarly);
  #writing = 0;
  readonly #turnTime = new MeanTime();
  readonly #agents: TurnAgents;
  readonly #questions: TurnQuestions;
  readonly #runner: TurnRunner;
  readonly #onEnd: DispatcherOptions['onEnd'];
  readonly #tracer: Pick<Tracer, 'begin'>;
  #settings: DispatchSettings;

  constructor(options: DispatcherOptions) {
    const { store, log, owner, onChange } = options;
    this.#store = store;
    this.#agents = options.agents;
    this.#onEnd = options.onEnd;
    this.#tracer = options.tracer ?? noSpans;
    this.#log = log;
    this.#owner = owner;
    this.#settings = options.settings;
    this.#clock = options.clock ?? systemClock;
    this.#holds = new AgentHolds({ clock: this.#clock, log, wake: () => this.wake() });
    this.#loads = new AgentLoads({
      agents: options.agents,
      holds: this.#holds,
      concurrency: () => this.#settings.concurrency,
    });
    this.#questions = new TurnQuestions({
      store,
      log,
      ...(options.ask === undefined ? {} : { ask: options.ask }),
      onWait: (turn) => {
        this.#loads.freed(this.#agentOf(turn).name);
        this.wake();
      },
      onGoOn: (turn) => this.#loads.taken(this.#agentOf(turn).name),
    });
    this.#work = new WorkLoop<Turn>({
      name: 'dispatcher',
      purposes: {
        claim: 'hand out turns',
        due: 'hand out turns',
        write: 'write the end of a turn',
        putBack: 'queue turns again',
      },
      log,
      clock: this.#clock,
      leaseMs: () => this.#settings.lease,
      freeSlots: () => this.#freeSlots,
      claim: (limit) => this.#claim(limit),
      nextDueInMs: () => store.nextDueInMs(owner),
      onClaimed: (turn) => this.#start(turn),
      onClaimedLate: (turn) => this.#records.leave(turn, { cutOff: false }),
      isHolding: () => this.#running.size > 0 || this.#records.unfinished > 0,
      renewLeases: () => this.#renewLeases(),
      onGiveUp: () => {
        for (const running of this.#running) running.end('drain');
      },
      ended: () => Promise.all([...this.#running].map((running) => running.done)),
      finishedCount: () => this.#records.counts.replied + this.#records.counts.failed,
      unfinishedCount: () => this.#records.unfinished,
      putBack: () => this.#records.putBack(),
    });
    const onProgress = (turn: Turn, progress: MessageProgress) =>
      this.#work.notify(() => options.onProgress?.(turn, progress), turnFields(turn));
    this.#runner = new TurnRunner({
      store,
      clock: this.#clock,
      log,
      holds: this.#holds,
      loads: this.#loads,
      questions: this.#questions,
      sendersOf: options.sendersOf ?? plainSenders,
      attachmentLimits: options.attachmentLimits ?? (() => noAttachments),
      isOpen: () => this.#work.isOpen,
      onProgress,
    });
    this.#records = new TurnRecords({
      store,
      work: this.#work,
      log,
      settings: () => this.#settings,
      isRepeatable: (turn) => this.#agentOf(turn).repeatable,
      isAwaited: options.isAwaited ?? (() => false),
      onChange,
      onEnds: (turn) => onProgress(turn, { type: 'ends' }),
    });
    this.#reservations = new SlotReservations(
      (turn) => this.#work.take(turn),
      () => this.wake(),
    );
  }

  /** Something may be ready: a start, an accepted message. Costs nothing when all slots are taken. */
  wake(): void {
    this.#work.claims.wake();
  }

  /** Reserves a slot for the turn of a message that is about to be accepted; null: none is free. */
  reserveSlot(): SlotReservation | null {
    if (!this.#work.isOpen || this.#freeSlots - this.#work.claims.asking < 1) return null;
    const agentSlots = this.#loads.slots(1);
    return this.#reservations.reserve({ owner: this.#owner, leaseMs: this.#settings.lease, agentSlots });
  }

  /** Takes a reloaded configuration: the next turns go by it. */
  configure(settings: DispatchSettings): void {
    this.#settings = settings;
    this.#holds.forget();
    this.wake();
  }

  /** The message is cancelled, and that is on disk: ends its turn, if it runs here. */
  cancel(messageId: string): void {
    let runs = false;
    for (const running of this.#running) {
      if (running.turn.messageId !== messageId) continue;
      runs ||= running.phase === 'agent';
      running.end('cancelled');
    }
    // It may have been claimed in the transaction that cancelled it, or just before.
    if (!this.#claimsComing) this.#cancelledEarly.clear();
    else if (!runs) this.#cancelledEarly.add(messageId);
  }

  /** Seconds after which a full queue may have room again, as far as the turns so far tell. */
  retryAfterSeconds(limit: 'session' | 'total'): number {
    return retryAfterSeconds(limit, this.#turnTime.meanMs, this.#settings.concurrency);
  }

  facts(): DispatcherFacts {
    return {
      ...this.#work.facts(),
      running: this.#running.size,
      writing: this.#writing,
      ...this.#records.counts,
      agentHolds: this.#holds.held(),
    };
  }

  /**
   * Claims no more. Running turns may go on for `timeoutMs`, or until `signal` is aborted; then they are cut off, and
   * once each has ended they are queued again. Turns that wait for a person or a callback are cut off at once. Nothing
   * runs when the promise resolves.
   */
  drain(timeoutMs: number, signal?: AbortSignal): Promise<DrainOutcome> {
    this.#holds.forget();
    const drained = this.#work.drain(timeoutMs, signal, () => this.#reservations.settled());
    // A person may take an hour, and chats take in nothing more. An answer counts after the next start, too.
    for (const running of this.#running) if (this.#questions.holds(running.turn)) running.end('drain');
    return drained;
  }

  get #claimsComing(): boolean {
    return this.#work.claims.underWay !== null || this.#reservations.count > 0;
  }

  /** Beside the turns whose agent runs. */
  get #freeSlots(): number {
    const busy = this.#running.size - this.#writing - this.#questions.waiting;
    const free = this.#settings.concurrency - busy - this.#reservations.count;
    return Math.min(free, this.#loads.free);
  }

  #claim(limit: number): Promise<readonly Turn[]> {
    const { lease: leaseMs, policy, collect_limit: collectLimit } = this.#settings;
    const agentSlots = this.#loads.slots(limit);
    return this.#store.claimTurns({ owner: this.#owner, limit, leaseMs, policy, collectLimit, agentSlots });
  }

  #start(turn: Turn): void {
    const agent = this.#agents.of(turn.agent);
    const trace = this.#tracer.begin('sd_gateway.turn', traceparentOf(turn.metadata), {
      'sd_gateway.agent': agent.name,
      'sd_gateway.message': turn.messageId,
      'sd_gateway.attempt': turn.attempt,
    });
    const running = new RunningTurn(turn, agent, trace);
    if (this.#cancelledEarly.delete(turn.messageId)) running.cutOff = 'cancelled';
    this.#running.add(running);
    this.#agents.begun(agent);
    this.#loads.taken(agent.name);
    this.#records.notify(turn, 'running');
    this.#log.debug('A turn begins.', { ...turnFields(turn), SD_GATEWAY_TEXT: turn.text });
    const began = performance.now();
    running.done = this.#run(running).finally(() => {
      const durationMs = performance.now() - began;
      this.#turnTime.add(durationMs);
      this.#onEnd?.(agent.name, running.outcome, durationMs);
      trace.end(running.outcome, running.outcome !== 'replied');
      this.#running.delete(running);
      this.#agents.ended(agent);
      this.#writing -= 1;
      this.#work.renewal.released();
    });
    this.#work.renewal.claimed();
  }

  async #run(running: RunningTurn): Promise<void> {
    const result = await this.#runner.run(running);
    running.phase = 'writing';
    this.#writing += 1;
    this.#loads.freed(running.agent.name);
    const written = this.#writeEnd(running, result);
    // In the same transaction as that end, where it is written at once.
    this.#work.claims.wakeForNext();
    // If it was not written at once, that claim came too early.
    if ((await written) > 1) this.#work.claims.wakeForNext();
  }

  /** A turn that runs keeps its agent through a reload. */
  #agentOf(turn: Turn): TurnAgent {
    for (const running of this.#running) if (running.turn === turn) return running.agent;
    return this.#agents.of(turn.agent);
  }

  /** Gives how often it was tried. */
  async #writeEnd(running: RunningTurn, result: TurnResult): Promise<number> {
    const { turn, agent, cutOff, resumes } = running;
    const ends = (outcome: AttemptOutcome) => {
      running.outcome = outcome;
      return this.#records;
    };
    if ('reply' in result) return ends('replied').replied(turn, result.reply);
    if (cutOff === 'claim-lost') {
      ends('claim_lost');
      return 0;
    }
    if (cutOff === 'cancelled') return ends('cancelled').released(turn);
    if ('notStarted' in result) return ends('not_started').notStarted(turn);
    if (cutOff === 'drain' && resumes) {
      ends('put_back').leave(turn, { cutOff: false });
      return 0;
    }
    if (cutOff !== 'drain' || !agent.repeatable) {
      return ends(cutOff === 'timeout' ? 'timeout' : 'failed').failed(turn, result.failure);
    }
    const putBacks = turn.putBacks + 1;
    const most = mostPutBacks(this.#settings);
    if (putBacks >= most) return ends('failed').failed(turn, cutOffTooOften(putBacks, most));
    ends('put_back').leave(turn, { cutOff: true });
    return 0;
  }

  async #renewLeases(): Promise<void> {
    const before = [...this.#running].filter((running) => running.phase === 'agent');
    // The store counts what it holds at that moment, to which a claim or an end under way may or may not belong.
    const countsAgree = before.length === this.#running.size && !this.#claimsComing;
    const held = await this.#store.renewLeases(this.#owner, this.#settings.lease);
    if (countsAgree && held.turns === before.length) return;
    for (const running of before) await this.#cutOffIfLost(running);
  }

  async #cutOffIfLost(running: RunningTurn): Promise<void> {
    if (running.phase !== 'agent') return;
    const { turn } = running;
    const record = await this.#store.message(turn.messageId);
    if (running.phase !== 'agent' || claimStands(turn, record)) return;
    // It still holds its session, for whoever runs it to give free.
    if (record?.state === 'cancelled' && record.attempts === turn.attempt) {
      running.end('cancelled');
      return;
    }
    this.#records.noteLostClaim(turn);
    running.end('claim-lost');
  }
}
