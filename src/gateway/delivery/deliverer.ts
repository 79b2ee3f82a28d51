import type { Configuration } from '../../config/schema.js';
import type { Log } from '../../log/log.js';
import type { CutOff, Delivery, MessageState, Store } from '../../store/store.js';
import { settleUnknown } from '../../store/unknown-delivery.js';
import { pauseUntilDue, renewalInterval, storeDelay } from '../dispatch/policy.js';
import { type Clock, systemClock } from '../work/clock.js';
import { LeaseRenewal } from '../work/lease-renewal.js';
import { StoreCalls } from '../work/store-calls.js';
import { DeliveryRecords } from './delivery-records.js';
import type { AttemptEnd } from './destination.js';
import { type CircuitFacts, Destinations } from './destinations.js';
import type { ReplySender, SendOutcome } from './reply-sender.js';
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
  /** How long a claim lasts unless it is renewed, in milliseconds. */
  readonly lease: number;
};

export interface DelivererOptions {
  readonly store: Pick<
    Store,
    | 'claimDeliveries'
    | 'renewLeases'
    | 'beginDelivery'
    | 'completeDelivery'
    | 'failDelivery'
    | 'putBackDeliveries'
    | 'nextDueInMs'
  >;
  readonly sender: ReplySender;
  readonly log: Log;
  /** Who claims: one id for each start of a gateway; the dispatcher's. */
  readonly owner: string;
  readonly settings: DeliverySettings;
  /** A delivery's message has got to this state, and that is on disk (`replied`: it is tried again later). */
  readonly onChange: (delivery: Delivery, state: MessageState) => void;
  readonly clock?: Clock;
  /** From 0 up to, but not 1; for the jitter. */
  readonly random?: () => number;
}

export interface DelivererFacts {
  readonly state: 'open' | 'draining' | 'drained';
  /** Deliveries under way, those whose end is being written among them. */
  readonly inFlight: number;
  /** Since this start: replies delivered, attempts that failed, deliveries given up. */
  readonly delivered: number;
  readonly failed: number;
  readonly dead: number;
  /** Hosts to which nothing, or only a probe, is sent now. */
  readonly circuits: readonly CircuitFacts[];
  /** Why the last call to the store failed; null when it did not. */
  readonly storeTrouble: string | null;
  /** Now, unless a call to the store is unanswered: then when it was made. Milliseconds since the Unix epoch. */
  readonly lastProgressAt: number;
}

/**
 * Claims due deliveries from the store up to its concurrency, posts them, and writes what became of each. Idle, it
 * holds one timer and no more.
 */
export class Deliverer {
  readonly #store: DelivererOptions['store'];
  readonly #log: Log;
  readonly #owner: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #calls: StoreCalls;
  readonly #renewal: LeaseRenewal;
  readonly #records: DeliveryRecords;
  readonly #destinations: Destinations;
  /** By the message's id: until the outcome is written. */
  readonly #running = new Map<string, Promise<void>>();
  /** Cut off by the drain, or claimed while it began: to be put back. */
  readonly #unfinished = new Map<string, Delivery & CutOff>();
  /** Aborted once nothing may go on for longer. */
  readonly #giveUp = new AbortController();
  #sender: ReplySender;
  #settings: DeliverySettings;
  #state: DelivererFacts['state'] = 'open';
  #wanted = false;
  #claiming: Promise<void> | null = null;
  #claimFailures = 0;
  #cancelWake: (() => void) | null = null;
  #drain: Promise<{ readonly finished: number; readonly putBack: number }> | null = null;

  constructor(options: DelivererOptions) {
    this.#store = options.store;
    this.#sender = options.sender;
    this.#log = options.log;
    this.#owner = options.owner;
    this.#settings = options.settings;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#calls = new StoreCalls(this.#log, this.#clock, 'deliverer');
    this.#records = new DeliveryRecords({
      store: this.#store,
      calls: this.#calls,
      log: this.#log,
      clock: this.#clock,
      giveUp: this.#giveUp.signal,
      onChange: options.onChange,
      onGivenUp: (delivery) => {
        // One that must not be sent twice stays claimed: the next start sees whether it had begun.
        if (delivery.idempotent) this.#unfinished.set(delivery.messageId, delivery);
      },
    });
    this.#destinations = new Destinations({
      log: this.#log,
      clock: this.#clock,
      random: this.#random,
      settings: () => this.#settings,
      destinationOf: (delivery) => this.#sender.destinationOf(delivery),
      send: (delivery) => this.#track(delivery, this.#send(delivery)),
      postpone: (delivery, until) => this.#postpone(delivery, until),
    });
    this.#renewal = new LeaseRenewal({
      clock: this.#clock,
      interval: () => renewalInterval(this.#settings.lease),
      held: () => this.#held > 0,
      renew: () =>
        this.#calls.run('renew leases', () => this.#store.renewLeases(this.#owner, this.#settings.lease)),
    });
  }

  /** Something may be due: a start, a reply with a reply URL. Costs nothing when all places are taken. */
  wake(): void {
    // The end of a delivery wakes again, and so does the wait after a failure of the store.
    const backingOff = this.#claimFailures > 0 && this.#cancelWake !== null;
    if (this.#freePlaces() < 1 || backingOff) return;
    this.#wanted = true;
    this.#claiming ??= this.#claimWhileWanted();
  }

  /** Takes a reloaded configuration: the next attempts go by it. The caller closes the sender it replaces. */
  configure(sender: ReplySender, settings: DeliverySettings): void {
    this.#sender = sender;
    this.#settings = settings;
    this.wake();
  }

  facts(): DelivererFacts {
    return {
      state: this.#state,
      inFlight: this.#held,
      ...this.#records.counts,
      circuits: this.#destinations.circuits(),
      storeTrouble: this.#calls.trouble,
      lastProgressAt: this.#calls.waitingSince ?? this.#clock.now(),
    };
  }

  /** Resolves once all that is due has had its attempt, or after `patience` milliseconds. */
  async settle(patience: number): Promise<void> {
    let over = false;
    let end = () => {};
    const timeOver = new Promise<void>((resolve) => {
      end = resolve;
    });
    const cancel = this.#clock.after(patience, () => {
      over = true;
      end();
    });
    this.wake();
    while (!over && (this.#claiming !== null || this.#running.size > 0)) {
      await Promise.race([timeOver, this.#claiming ?? Promise.race(this.#running.values())]);
    }
    cancel();
  }

  /**
   * Claims no more. Attempts under way may go on for `patience` milliseconds, or until `signal` is aborted; then
   * they are cut off and put back, to be sent at the next start. Nothing is under way when the promise resolves.
   */
  drain(
    patience: number,
    signal?: AbortSignal,
  ): Promise<{ readonly finished: number; readonly putBack: number }> {
    this.#drain ??= this.#drainOnce(patience, signal);
    return this.#drain;
  }

  /** Deliveries that are claimed. */
  get #held(): number {
    return this.#running.size + this.#destinations.waiting;
  }

  #freePlaces(): number {
    return this.#state === 'open' ? this.#settings.concurrency - this.#held : 0;
  }

  async #claimWhileWanted(): Promise<void> {
    while (this.#wanted) {
      this.#wanted = false;
      this.#cancelWake?.();
      this.#cancelWake = null;
      const limit = this.#freePlaces();
      if (limit < 1) break;
      try {
        const claimed = await this.#claim(limit);
        this.#claimFailures = 0;
        if (this.#wanted || claimed === limit || this.#state !== 'open') continue;
        const due = await this.#calls.run('say what is due next', () => this.#store.nextDueInMs(this.#owner));
        this.#wakeAfter(pauseUntilDue(due, this.#settings.lease));
      } catch {
        // On record by StoreCalls.
        this.#claimFailures += 1;
        this.#wanted = false;
        this.#wakeAfter(storeDelay(this.#claimFailures));
      }
    }
    this.#claiming = null;
  }

  async #claim(limit: number): Promise<number> {
    const deliveries = await this.#calls.run('hand out deliveries', () =>
      this.#store.claimDeliveries({ owner: this.#owner, limit, leaseMs: this.#settings.lease }),
    );
    for (const delivery of deliveries) {
      if (this.#state === 'open') this.#place(delivery);
      else this.#unfinished.set(delivery.messageId, delivery);
    }
    return deliveries.length;
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

  /** Sends a claimed delivery, or writes that and why it is not sent. */
  #place(delivery: Delivery): void {
    const tooOld = judgeAge(delivery, this.#clock.now(), this.#settings);
    if (tooOld === null) this.#destinations.place(delivery);
    else this.#track(delivery, this.#records.failed(delivery, tooOld));
  }

  #postpone(delivery: Delivery, until: number): void {
    const failure = postponed(delivery, until, this.#settings);
    this.#track(delivery, this.#records.postponed(delivery, failure));
  }

  #track(delivery: Delivery, work: Promise<void>): void {
    const done = work.finally(() => {
      // The next attempt may have been claimed before the end of this one has come back.
      if (this.#running.get(delivery.messageId) === done) this.#running.delete(delivery.messageId);
      this.#renewal.released();
      this.wake();
    });
    this.#running.set(delivery.messageId, done);
    this.#renewal.claimed();
  }

  async #send(delivery: Delivery): Promise<void> {
    this.#destinations.begin(delivery);
    const begun = delivery.idempotent || (await this.#records.begin(delivery));
    const outcome = begun ? await this.#sender.send(delivery, this.#giveUp.signal) : null;
    this.#destinations.end(delivery, endOf(outcome));
    if (outcome !== null) await this.#note(delivery, outcome);
  }

  async #note(delivery: Delivery, outcome: SendOutcome): Promise<void> {
    if (outcome.kind === 'delivered') {
      await this.#records.delivered(delivery);
    } else if (outcome.kind === 'aborted') {
      await this.#noteCutOff(delivery, outcome.unknown);
    } else {
      const verdict = judgeFailure(delivery, outcome, this.#clock.now(), this.#settings, this.#random);
      if (verdict.retryAt !== null) this.#destinations.expect(delivery, verdict.retryAt);
      await this.#records.failed(delivery, verdict);
    }
  }

  async #noteCutOff(delivery: Delivery, unknown: boolean): Promise<void> {
    if (!unknown) {
      this.#unfinished.set(delivery.messageId, delivery);
      return;
    }
    const { attempt, idempotent, unknownPolicy } = delivery;
    const cutOff = { attempt, idempotent, unknownPolicy, cause: 'the gateway stopped' };
    const { resend, record } = settleUnknown(cutOff, this.#settings.unknown);
    if (resend) this.#unfinished.set(delivery.messageId, { ...delivery, unknownOutcome: record });
    else {
      const verdict = { error: record, retryAt: null, attempted: true, unknown: true };
      await this.#records.failed(delivery, verdict);
    }
  }

  async #drainOnce(patience: number, signal: AbortSignal | undefined) {
    this.#state = 'draining';
    this.#wanted = false;
    this.#cancelWake?.();
    this.#cancelWake = null;
    const began = { ...this.#records.counts };
    const giveUp = () => this.#giveUp.abort();
    const cancelDeadline = this.#clock.after(patience, giveUp);
    signal?.addEventListener('abort', giveUp);
    if (patience <= 0 || signal?.aborted) giveUp();
    await this.#claiming;
    for (const delivery of this.#destinations.release()) this.#unfinished.set(delivery.messageId, delivery);
    await Promise.all(this.#running.values());
    cancelDeadline();
    signal?.removeEventListener('abort', giveUp);
    const putBack = await this.#putBack();
    this.#state = 'drained';
    this.#renewal.stop();
    const { delivered, failed } = this.#records.counts;
    const finished = delivered - began.delivered + failed - began.failed;
    return { finished, putBack };
  }

  async #putBack(): Promise<number> {
    const deliveries = [...this.#unfinished.values()].sort(
      (a, b) => a.repliedAt - b.repliedAt || a.seq - b.seq,
    );
    if (deliveries.length === 0) return 0;
    try {
      const count = await this.#calls.run('take deliveries back', () =>
        this.#store.putBackDeliveries(deliveries),
      );
      for (const delivery of deliveries) this.#records.tell(delivery, 'replied');
      return count;
    } catch {
      // On record by StoreCalls; the deliveries still stand there as claimed.
      this.#log.err(`${deliveries.length} deliveries could not be put back now; the next start does it.`);
      return 0;
    }
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
