import type { ReplySender, SendOutcome } from '../../channels/reply-sender.js';
import type { Configuration } from '../../config/schema.js';
import { type Clock, systemClock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';
import { type CutOff, type Delivery, settleUnknown } from '../../store/deliveries.js';
import type { JsonValue, MessageState } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import { traceparentOf } from '../../text/trace-context.js';
import { noSpans, type Tracer } from '../traces/tracer.js';
import { type DrainOutcome, WorkLoop, type WorkLoopFacts } from '../work/work-loop.js';
import { type AttemptRecord, DeliveryRecords } from './delivery-records.js';
import type { AttemptEnd } from './destination.js';
import { type CircuitFacts, Destinations } from './destinations.js';
import { type RetriedReplies, RetryRegister } from './retried-replies.js';
import { Refusals } from './schedule.js';
import { judgeAge, judgeFailure, postponed } from './verdict.js';

export type DeliverySettings = Pick<
  Configuration['delivery'],
  | 'concurrency'
  | 'host_concurrency'
  | 'max_attempts'
  | 'retry_delay'
  | 'retry_delay_limit'
  | 'expire'
  | 'unknown'
> & {
  /** A claim lasts so long unless it is renewed, in milliseconds. */
  readonly lease: number;
};

export interface DelivererOptions {
  readonly store: Pick<
    Store,
    | 'claimDeliveries'
    | 'renewLeases'
    | 'beginDelivery'
    | 'noteDeliveryPart'
    | 'completeDelivery'
    | 'failDelivery'
    | 'putBackDeliveries'
    | 'nextDueInMs'
  >;
  readonly sender: ReplySender;
  /** The sender of a delivery that `sender` is not for; null, the default, if it is. */
  readonly senderOf?: (delivery: Delivery) => ReplySender | null;
  /** The text of a notice that says that a message is dead; null: nobody is told. Default: the reason. */
  readonly noticeOf?: (delivery: Delivery) => string | null;
  /** Waits for a preview of the reply. Gives its receipt if the store doesn't have that. Default: there is none. */
  readonly latePreview?: (messageId: string) => Promise<JsonValue>;
  readonly log: Log;
  /** The claimant: one id for each start of a gateway; the dispatcher's. */
  readonly owner: string;
  readonly settings: DeliverySettings;
  /** A delivery's message has got to this state, and that is on disk (`replied`: it is tried again later). */
  readonly onChange: (delivery: Delivery, state: MessageState) => void;
  /** Makes a span of each attempt. Default: traces are passed on as they came. */
  readonly tracer?: Pick<Tracer, 'begin'>;
  /** An attempt has ended, and that is on disk. Default: nobody is told. */
  readonly onEnd?: (delivery: Delivery, end: AttemptRecord) => void;
  readonly clock?: Clock;
  /** From 0 up to, but not 1; for the jitter. */
  readonly random?: () => number;
}

export interface DelivererFacts extends WorkLoopFacts {
  /** Deliveries under way, those whose end is being written among them. */
  readonly inFlight: number;
  /** Since this start: replies delivered, attempts that failed, deliveries given up. */
  readonly delivered: number;
  readonly failed: number;
  readonly dead: number;
  /** Hosts to which nothing, or only a probe, is sent now. */
  readonly circuits: readonly CircuitFacts[];
}

/**
 * Claims due deliveries from the store up to its concurrency, sends them, and writes what became of each. Idle, it
 * holds one timer and no more.
 */
export class Deliverer {
  readonly #store: DelivererOptions['store'];
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #work: WorkLoop<Delivery>;
  readonly #records: DeliveryRecords;
  readonly #destinations: Destinations;
  /** By the message's id: until the outcome is written. */
  readonly #running = new Map<string, Promise<void>>();
  /** Cut off by the drain, or claimed while it began: to be put back. */
  readonly #unfinished = new Map<string, Delivery & CutOff>();
  readonly #refusals = new Refusals();
  readonly #retries = new RetryRegister();
  readonly #chooseSender: (delivery: Delivery) => ReplySender | null;
  readonly #noticeOf: (delivery: Delivery) => string | null;
  readonly #tracer: Pick<Tracer, 'begin'>;
  readonly #latePreview: (messageId: string) => Promise<JsonValue>;
  #sender: ReplySender;
  #settings: DeliverySettings;

  constructor(options: DelivererOptions) {
    const { store, log, owner } = options;
    this.#store = store;
    this.#sender = options.sender;
    this.#chooseSender = options.senderOf ?? (() => null);
    this.#noticeOf = options.noticeOf ?? (({ notice }) => notice);
    this.#latePreview = options.latePreview ?? (async () => null);
    this.#tracer = options.tracer ?? noSpans;
    this.#settings = options.settings;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#work = new WorkLoop<Delivery>({
      name: 'deliverer',
      purposes: {
        claim: 'hand out deliveries',
        due: 'say what is due next',
        write: 'note the outcome of a delivery',
        putBack: 'take deliveries back',
      },
      log,
      clock: this.#clock,
      leaseMs: () => this.#settings.lease,
      freeSlots: () => this.#settings.concurrency - this.#held,
      claim: (limit) => store.claimDeliveries({ owner, limit, leaseMs: this.#settings.lease }),
      nextDueInMs: () => store.nextDueInMs(owner),
      onClaimed: (delivery) => this.#admit(delivery),
      onClaimedLate: (delivery) => void this.#unfinished.set(delivery.messageId, delivery),
      isHolding: () => this.#held > 0,
      renewLeases: async () => void (await store.renewLeases(owner, this.#settings.lease)),
      onGiveUp: () => undefined,
      ended: () => this.#ended(),
      finishedCount: () => this.#records.counts.delivered + this.#records.counts.failed,
      unfinishedCount: () => this.#unfinished.size,
      putBack: () => this.#putBack(),
    });
    this.#records = new DeliveryRecords({
      store,
      work: this.#work,
      log,
      clock: this.#clock,
      onChange: options.onChange,
      onEnd: options.onEnd ?? (() => undefined),
      onGivenUp: (delivery) => {
        // One that must not be sent twice stays claimed: the next start sees whether it had begun.
        if (delivery.idempotent) this.#unfinished.set(delivery.messageId, delivery);
      },
    });
    this.#destinations = new Destinations({
      log,
      clock: this.#clock,
      random: this.#random,
      settings: () => this.#settings,
      destinationOf: (delivery) => this.#destinationOf(delivery),
      send: (delivery) => this.#track(delivery, this.#send(delivery)),
      postpone: (delivery, until) => this.#postpone(delivery, until),
    });
  }

  /** Something may be due: a start, a reply with a target. Costs nothing when all slots are taken. */
  wake(): void {
    this.#work.claims.wake();
  }

  /** Takes a reloaded configuration: the next attempts go by it. The caller closes the sender it replaces. */
  configure(sender: ReplySender, settings: DeliverySettings): void {
    this.#sender = sender;
    this.#settings = settings;
    this.wake();
  }

  facts(): DelivererFacts {
    return {
      ...this.#work.facts(),
      inFlight: this.#held,
      ...this.#records.counts,
      circuits: this.#destinations.circuits(),
    };
  }

  /** The destinations with the most attempts first. */
  retriedReplies(): readonly RetriedReplies[] {
    return this.#retries.facts(this.#clock.now());
  }

  /** Resolves once all that is due has had its attempt, or after `timeoutMs`. */
  async settle(timeoutMs: number): Promise<void> {
    let over = false;
    let end = () => {};
    const timeOver = new Promise<void>((resolve) => {
      end = resolve;
    });
    const cancel = this.#clock.after(timeoutMs, () => {
      over = true;
      end();
    });
    this.wake();
    while (!over && (this.#work.claims.underWay !== null || this.#running.size > 0)) {
      await Promise.race([timeOver, this.#work.claims.underWay ?? Promise.race(this.#running.values())]);
    }
    cancel();
  }

  /**
   * Claims no more. Attempts under way may go on for `timeoutMs`, or until `signal` is aborted; then they are cut off
   * and put back, to be sent at the next start. Nothing is under way when the promise resolves.
   */
  drain(timeoutMs: number, signal?: AbortSignal): Promise<DrainOutcome> {
    return this.#work.drain(timeoutMs, signal);
  }

  /** Deliveries that are claimed. */
  get #held(): number {
    return this.#running.size + this.#destinations.waiting;
  }

  /** Sends a claimed delivery, or writes that and why it is not sent. */
  #admit(delivery: Delivery): void {
    const tooOld = judgeAge(delivery, this.#clock.now(), this.#settings);
    if (tooOld === null) this.#destinations.admit(delivery);
    else {
      this.#retries.forget(delivery.messageId);
      this.#track(delivery, this.#records.failed(delivery, tooOld));
    }
  }

  #postpone(delivery: Delivery, until: number): void {
    const failure = postponed(delivery, until, this.#settings);
    this.#track(delivery, this.#records.postponed(delivery, failure));
  }

  #track(delivery: Delivery, attempt: Promise<void>): void {
    const done = attempt.finally(() => {
      // The next attempt may have been claimed before the end of this one has come back.
      if (this.#running.get(delivery.messageId) === done) this.#running.delete(delivery.messageId);
      this.#work.renewal.released();
      this.wake();
    });
    this.#running.set(delivery.messageId, done);
    this.#work.renewal.claimed();
  }

  async #send(delivery: Delivery): Promise<void> {
    this.#destinations.begin(delivery);
    const begun = delivery.idempotent || (await this.#records.begin(delivery));
    const outcome = begun ? await this.#sendTraced(delivery) : null;
    this.#destinations.end(delivery, endOf(outcome));
    if (outcome !== null) await this.#note(delivery, outcome);
  }

  /** The span is the parent of what the receiver does. */
  async #sendTraced(delivery: Delivery): Promise<SendOutcome | null> {
    const { metadata, target, messageId, attempt } = delivery;
    const parent = traceparentOf(metadata);
    const trace = this.#tracer.begin('sd_gateway.deliver', parent, {
      'sd_gateway.channel': target.channel,
      'sd_gateway.message': messageId,
      'sd_gateway.attempt': attempt,
    });
    const { traceparent } = trace;
    try {
      const outcome = await this.#sendParts({ ...delivery, ...(traceparent !== null && { traceparent }) });
      trace.end(outcome?.kind ?? 'not_recorded', outcome?.kind !== 'delivered');
      return outcome;
    } catch (error) {
      trace.end('error', true);
      throw error;
    }
  }

  #senderOf(delivery: Delivery): ReplySender {
    return this.#chooseSender(delivery) ?? this.#sender;
  }

  /** Channels name their destinations without a thought for each other. */
  #destinationOf(delivery: Delivery): string {
    const own = this.#chooseSender(delivery);
    if (own === null) return this.#sender.destinationOf(delivery);
    return `${delivery.target.channel}:${own.destinationOf(delivery)}`;
  }

  /** Goes on behind the parts that are on record; null: what was sent could not be put there. */
  async #sendParts(claimed: Delivery): Promise<SendOutcome | null> {
    const notice = claimed.notice === null ? null : this.#noticeOf(claimed);
    if (claimed.notice !== null && notice === null) return { kind: 'delivered', receipt: null };
    const delivery = await this.#withPreview(notice === claimed.notice ? claimed : { ...claimed, notice });
    const sender = this.#senderOf(delivery);
    const recorded = new Set(delivery.parts.map(({ part }) => part));
    const parts = sender.partsOf(delivery).filter(({ number }) => !recorded.has(number));
    // All of it was sent, and then the gateway went down.
    let outcome: SendOutcome = { kind: 'delivered', receipt: null };
    for (const [index, part] of parts.entries()) {
      if (this.#work.giveUp.aborted) return { kind: 'aborted', inDoubt: false };
      outcome = await sender.send(part, this.#work.giveUp);
      if (outcome.kind !== 'delivered') break;
      const isLast = index === parts.length - 1;
      if (isLast && outcome.receipt === null) break;
      if (!(await this.#records.partDelivered(delivery, part.number, outcome.receipt))) return null;
    }
    return outcome;
  }

  /** A turn does not wait for a preview that is on its way when it ends: its reply does. */
  async #withPreview(delivery: Delivery): Promise<Delivery> {
    const receipt = await this.#latePreview(delivery.messageId);
    if (receipt === null) return delivery;
    return { ...delivery, parts: [{ part: 0, receipt }, ...delivery.parts] };
  }

  async #note(delivery: Delivery, outcome: SendOutcome): Promise<void> {
    if (outcome.kind === 'delivered') {
      this.#refusals.forget(delivery.messageId);
      this.#retries.forget(delivery.messageId);
      await this.#records.delivered(delivery);
    } else if (outcome.kind === 'aborted') {
      await this.#noteCutOff(delivery, outcome.inDoubt);
    } else {
      const now = this.#clock.now();
      const verdict = judgeFailure(delivery, outcome, now, this.#settings, {
        schedule: this.#senderOf(delivery).schedule,
        refusedSince: this.#refusedSince(delivery, outcome, now),
        random: this.#random,
      });
      const { retryAt, error } = verdict;
      if (retryAt === null) {
        this.#refusals.forget(delivery.messageId);
        this.#retries.forget(delivery.messageId);
      } else {
        this.#destinations.expect(delivery, retryAt);
        this.#retries.note(delivery, this.#destinationOf(delivery), { error, retryAt }, now);
      }
      await this.#records.failed(delivery, verdict);
    }
  }

  #refusedSince({ messageId }: Delivery, outcome: SendOutcome, now: number): number {
    if (outcome.kind === 'retry' && outcome.isRefusal) return this.#refusals.note(messageId, now);
    this.#refusals.forget(messageId);
    return now;
  }

  async #noteCutOff(delivery: Delivery, inDoubt: boolean): Promise<void> {
    if (!inDoubt) {
      this.#unfinished.set(delivery.messageId, delivery);
      return;
    }
    const { target, attempt, idempotent, unknownPolicy } = delivery;
    const { channel } = target;
    const cutOff = { channel, attempt, idempotent, unknownPolicy, cause: 'the gateway stopped' };
    const { resend, record } = settleUnknown(cutOff, this.#settings.unknown);
    if (resend) this.#unfinished.set(delivery.messageId, { ...delivery, unknownOutcome: record });
    else {
      const verdict = { error: record, retryAt: null, attempted: true, unknown: true };
      await this.#records.failed(delivery, verdict);
    }
  }

  async #ended(): Promise<void> {
    for (const delivery of this.#destinations.release()) this.#unfinished.set(delivery.messageId, delivery);
    await Promise.all(this.#running.values());
  }

  async #putBack(): Promise<number> {
    const deliveries = [...this.#unfinished.values()].sort(
      (a, b) => a.repliedAt - b.repliedAt || a.seq - b.seq,
    );
    if (deliveries.length === 0) return 0;
    const count = await this.#store.putBackDeliveries(deliveries);
    for (const delivery of deliveries) this.#records.notify(delivery, 'replied');
    return count;
  }
}

function endOf(outcome: SendOutcome | null): AttemptEnd {
  switch (outcome?.kind) {
    case 'delivered':
      return { peer: 'well', asked: null };
    case 'retry':
      return { peer: outcome.peer, asked: outcome.pausesHost ? outcome.retryAfterMilliseconds : null };
    case 'dead':
      return { peer: outcome.peer, asked: null };
    default:
      return { peer: 'unasked', asked: null };
  }
}
