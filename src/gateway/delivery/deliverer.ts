import type { Configuration } from '../../config/schema.js';
import type { Log } from '../../log/log.js';
import { messageIds } from '../../log/message-ids.js';
import { type Delivery, type MessageState, type Store, StoreError } from '../../store/store.js';
import { type Clock, systemClock } from '../dispatch-clock.js';
import { pauseUntilDue, renewalInterval, storeDelay } from '../dispatch-policy.js';
import { StoreCalls } from '../dispatch-store-calls.js';
import { nextAttemptAt } from './backoff.js';
import { LeaseRenewal } from './lease-renewal.js';
import type { SendOutcome, WebhookSender } from './webhook-sender.js';

export type DeliverySettings = Pick<
  Configuration['delivery'],
  'concurrency' | 'max_attempts' | 'retry_delay' | 'retry_delay_limit'
> & {
  /** How long a claim lasts unless it is renewed, in milliseconds. */
  readonly lease: number;
};

export interface DelivererOptions {
  readonly store: Pick<
    Store,
    | 'claimDeliveries'
    | 'renewLeases'
    | 'completeDelivery'
    | 'failDelivery'
    | 'putBackDeliveries'
    | 'nextDueAt'
  >;
  readonly sender: WebhookSender;
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
  /** Why the last call to the store failed; null when it did not. */
  readonly storeTrouble: string | null;
  /** Now, unless a call to the store is unanswered: then when it was made. Milliseconds since the Unix epoch. */
  readonly lastProgressAt: number;
}

interface RunningDelivery {
  readonly delivery: Delivery;
  readonly done: Promise<void>;
}

/**
 * Claims due deliveries from the store up to its concurrency, posts them, and writes what became of each. Idle, it
 * holds one timer and no more.
 */
export class Deliverer {
  readonly #store: DelivererOptions['store'];
  readonly #log: Log;
  readonly #owner: string;
  readonly #onChange: DelivererOptions['onChange'];
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #calls: StoreCalls;
  readonly #renewal: LeaseRenewal;
  readonly #running = new Map<string, RunningDelivery>();
  /** Cut off by the drain, or claimed while it began: to be put back. */
  readonly #unfinished = new Set<Delivery>();
  /** Aborted once nothing may go on for longer. */
  readonly #giveUp = new AbortController();
  readonly #counts = { delivered: 0, failed: 0, dead: 0 };
  #sender: WebhookSender;
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
    this.#onChange = options.onChange;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#calls = new StoreCalls(this.#log, this.#clock, 'deliverer');
    this.#renewal = new LeaseRenewal({
      clock: this.#clock,
      interval: () => renewalInterval(this.#settings.lease),
      held: () => this.#running.size > 0,
      renew: () =>
        this.#calls.run('renew leases', () =>
          this.#store.renewLeases(this.#owner, this.#clock.now() + this.#settings.lease),
        ),
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
  configure(sender: WebhookSender, settings: DeliverySettings): void {
    this.#sender = sender;
    this.#settings = settings;
    this.wake();
  }

  facts(): DelivererFacts {
    return {
      state: this.#state,
      inFlight: this.#running.size,
      ...this.#counts,
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
      const attempts = [...this.#running.values()].map(({ done }) => done);
      await Promise.race([timeOver, this.#claiming ?? Promise.race(attempts)]);
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
        const claimed = await this.#claim(limit);
        this.#claimFailures = 0;
        if (this.#wanted || claimed === limit || this.#state !== 'open') continue;
        const due = await this.#calls.run('say what is due next', () => this.#store.nextDueAt(this.#owner));
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

  async #claim(limit: number): Promise<number> {
    const deliveries = await this.#calls.run('hand out deliveries', () => {
      const now = this.#clock.now();
      const leaseUntil = now + this.#settings.lease;
      return this.#store.claimDeliveries({ owner: this.#owner, limit, now, leaseUntil });
    });
    for (const delivery of deliveries) {
      if (this.#state === 'open') this.#start(delivery);
      else this.#unfinished.add(delivery);
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

  #start(delivery: Delivery): void {
    const done = this.#run(delivery).finally(() => {
      this.#running.delete(delivery.messageId);
      this.#renewal.released();
      this.wake();
    });
    this.#running.set(delivery.messageId, { delivery, done });
    this.#renewal.claimed();
  }

  async #run(delivery: Delivery): Promise<void> {
    const outcome = await this.#sender.send(delivery, this.#giveUp.signal);
    if (outcome.kind === 'aborted') {
      this.#unfinished.add(delivery);
      return;
    }
    if (outcome.kind === 'delivered') {
      await this.#write(delivery, () => this.#writeDelivered(delivery));
      return;
    }
    await this.#write(delivery, () => this.#writeFailure(delivery, outcome));
  }

  async #writeDelivered(delivery: Delivery): Promise<boolean> {
    if (!(await this.#store.completeDelivery(delivery, this.#clock.now()))) return false;
    this.#counts.delivered += 1;
    this.#log.debug('A reply was delivered.', fields(delivery));
    this.#tell(delivery, 'delivered');
    return true;
  }

  async #writeFailure(
    delivery: Delivery,
    outcome: Exclude<SendOutcome, { kind: 'delivered' | 'aborted' }>,
  ): Promise<boolean> {
    const now = this.#clock.now();
    const again =
      outcome.kind === 'dead'
        ? null
        : nextAttemptAt(delivery.attempt, outcome.retryAfterMilliseconds, now, this.#settings, this.#random);
    if (!(await this.#store.failDelivery(delivery, outcome.reason, again, now))) return false;
    this.#counts.failed += 1;
    if (again === null) {
      this.#counts.dead += 1;
      this.#log.err(
        `A reply could not be delivered, attempt ${delivery.attempt} was the last: ${outcome.reason}`,
        { ...fields(delivery), MESSAGE_ID: messageIds.deliveryDead },
      );
    } else {
      this.#log.warning(
        `Attempt ${delivery.attempt} to deliver a reply failed, tried again in ${(again - now) / 1_000} s: ${outcome.reason}`,
        fields(delivery),
      );
    }
    this.#tell(delivery, again === null ? 'dead' : 'replied');
    return true;
  }

  /** Tries until the store has it: a reply that was delivered is not to be posted again. */
  async #write(delivery: Delivery, write: () => Promise<boolean>): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      const lastTry = this.#giveUp.signal.aborted;
      try {
        if (!(await this.#calls.run('note the outcome of a delivery', write))) this.#noteLostClaim(delivery);
        return;
      } catch (error) {
        if (lastTry || (error instanceof StoreError && error.reason === 'closed')) {
          this.#log.err(
            'The store did not take the outcome of a delivery before the gateway had to stop; it is sent again under the same webhook-id.',
            fields(delivery),
          );
          this.#unfinished.add(delivery);
          return;
        }
      }
      await this.#pause(storeDelay(failures));
    }
  }

  /** Ends early when nothing may go on for longer. */
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

  #noteLostClaim(delivery: Delivery): void {
    this.#log.warning(
      'The lease on a delivery ran out before it was renewed; another gateway sends the reply again, under the same webhook-id.',
      fields(delivery),
    );
  }

  async #drainOnce(patience: number, signal: AbortSignal | undefined) {
    this.#state = 'draining';
    this.#wanted = false;
    this.#cancelWake?.();
    this.#cancelWake = null;
    const began = { ...this.#counts };
    const giveUp = () => this.#giveUp.abort();
    const cancelDeadline = this.#clock.after(patience, giveUp);
    signal?.addEventListener('abort', giveUp);
    if (patience <= 0 || signal?.aborted) giveUp();
    await this.#claiming;
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    cancelDeadline();
    signal?.removeEventListener('abort', giveUp);
    const putBack = await this.#putBack();
    this.#state = 'drained';
    this.#renewal.stop();
    const finished = this.#counts.delivered - began.delivered + this.#counts.failed - began.failed;
    return { finished, putBack };
  }

  async #putBack(): Promise<number> {
    const deliveries = [...this.#unfinished].sort((a, b) => a.repliedAt - b.repliedAt || a.seq - b.seq);
    if (deliveries.length === 0) return 0;
    try {
      const count = await this.#calls.run('take deliveries back', () =>
        this.#store.putBackDeliveries(deliveries, this.#clock.now()),
      );
      for (const delivery of deliveries) this.#tell(delivery, 'replied');
      return count;
    } catch {
      // On record by StoreCalls; the deliveries still stand there as claimed.
      this.#log.err(`${deliveries.length} deliveries could not be put back now; the next start does it.`);
      return 0;
    }
  }

  #tell(delivery: Delivery, state: MessageState): void {
    try {
      this.#onChange(delivery, state);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.err(`Who follows a message could not be told of its change: ${reason}`, fields(delivery));
    }
  }
}

function fields(delivery: Delivery) {
  return {
    SD_GATEWAY_SESSION: delivery.session,
    SD_GATEWAY_MESSAGE: delivery.messageId,
    SD_GATEWAY_ATTEMPT: delivery.attempt,
  };
}
