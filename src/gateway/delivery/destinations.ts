import type { Clock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';
import type { Delivery } from '../../store/deliveries.js';
import {
  type Admission,
  type AttemptEnd,
  type Circuit,
  type DestinationSettings,
  longestWait,
  ReplyDestination,
} from './destination.js';

/** A destination to which nothing, or only a probe, is sent. */
export interface CircuitFacts {
  /** Scheme, name and port: nothing of a URL that may be secret. */
  readonly origin: string;
  /** "held": its circuit is closed, and it has asked for time. */
  readonly state: Exclude<Circuit['state'], 'closed'> | 'held';
  readonly failures: number;
  /** When the next attempt is made, in milliseconds since the Unix epoch; null: it is under way. */
  readonly until: number | null;
}

export interface DestinationsOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: () => DestinationSettings;
  /** Deliveries with one destination share its circuit, its hold and its limit. */
  readonly destinationOf: (delivery: Delivery) => string;
  readonly send: (delivery: Delivery) => void;
  readonly postpone: (delivery: Delivery, until: number) => void;
}

interface Waiting {
  readonly delivery: Delivery;
  readonly destination: ReplyDestination;
  readonly cancel: () => void;
}

/** From one look for hosts that can be forgotten to the next, in milliseconds. */
const forgetInterval = 60_000;

/** Shares out the attempts among the hosts that replies go to; forgets a host that nothing is to be known of. */
export class Destinations {
  readonly #options: DestinationsOptions;
  readonly #byName = new Map<string, ReplyDestination>();
  readonly #waiting = new Set<Waiting>();
  /** When all of them are looked at again. */
  #lookAt = 0;

  constructor(options: DestinationsOptions) {
    this.#options = options;
  }

  /** Deliveries that wait a moment for a slot at their host. */
  get waiting(): number {
    return this.#waiting.size;
  }

  circuits(): readonly CircuitFacts[] {
    this.#forget();
    return [...this.#byName.values()].flatMap((destination) => factsOf(destination, this.#now) ?? []);
  }

  /** Sends a claimed delivery, has it wait a moment, or puts it off. */
  admit(delivery: Delivery): void {
    const destination = this.#of(delivery);
    this.#act(destination, delivery, destination.admit(this.#now, this.#options.settings()));
  }

  begin(delivery: Delivery): void {
    this.#of(delivery).begin(this.#now, this.#options.settings());
  }

  end(delivery: Delivery, end: AttemptEnd): void {
    const destination = this.#of(delivery);
    const { log, random, settings } = this.#options;
    const wasHeld = destination.heldUntil(this.#now) !== null;
    const change = destination.end(end, this.#now, settings(), random);
    const { name, circuit } = destination;
    const held = destination.heldUntil(this.#now);
    if (change === 'opened' && circuit.state === 'open') {
      const seconds = Math.ceil((circuit.until - this.#now) / 1_000);
      log.warning(
        `${circuit.failures} attempts to deliver to ${name} failed in a row: its replies wait from now on, and one attempt at a time is made, the next in ${seconds} s.`,
      );
    } else if (change === 'closed') {
      log.notice(`${name} takes replies again; what waited for it follows.`);
    }
    if (held !== null && !wasHeld) {
      const seconds = Math.ceil((held - this.#now) / 1_000);
      log.info(`${name} asks for time (Retry-After): its replies wait for ${seconds} s.`);
    }
    this.#next(destination);
    if (destination.forgettable(this.#now, settings())) this.#byName.delete(name);
    if (this.#now >= this.#lookAt) this.#forget();
  }

  /** A delivery that has ended is tried again at that time. */
  expect(delivery: Delivery, at: number): void {
    this.#byName.get(this.#options.destinationOf(delivery))?.expect(at);
  }

  /** Gives back what waits: nothing more is to be sent. */
  release(): readonly Delivery[] {
    return [...this.#waiting].map((waiting) => this.#take(waiting));
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  /** Hosts that failed, and that nothing is left for: no end of an attempt would ever tell. */
  #forget(): void {
    const now = this.#now;
    this.#lookAt = now + forgetInterval;
    for (const [name, destination] of this.#byName) {
      if (!destination.forgettable(now, this.#options.settings())) continue;
      this.#byName.delete(name);
      if (destination.circuit.state === 'closed') continue;
      this.#options.log.notice(`Nothing is left to be delivered to ${name}, which failed to the end.`);
    }
  }

  #of(delivery: Delivery): ReplyDestination {
    const name = this.#options.destinationOf(delivery);
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const destination = new ReplyDestination(name);
    this.#byName.set(name, destination);
    return destination;
  }

  #act(destination: ReplyDestination, delivery: Delivery, admission: Admission): void {
    if (admission.kind === 'send') {
      this.#options.send(delivery);
    } else if (admission.kind === 'postpone') {
      this.#options.postpone(delivery, admission.until);
    } else {
      const cancel = this.#options.clock.after(longestWait, () => {
        this.#take(waiting);
        this.#options.postpone(delivery, destination.postponeBusy(this.#now).until);
      });
      const waiting = { delivery, destination, cancel };
      destination.beginWait();
      this.#waiting.add(waiting);
    }
  }

  #take(waiting: Waiting): Delivery {
    waiting.cancel();
    this.#waiting.delete(waiting);
    waiting.destination.endWait();
    return waiting.delivery;
  }

  /** A slot is free, or the circuit has opened: those that wait are looked at again, in their order. */
  #next(destination: ReplyDestination): void {
    for (const waiting of [...this.#waiting]) {
      if (waiting.destination !== destination) continue;
      const admission = destination.admit(this.#now, this.#options.settings());
      if (admission.kind === 'wait') return;
      this.#act(destination, this.#take(waiting), admission);
    }
  }
}

function factsOf(destination: ReplyDestination, now: number): CircuitFacts | null {
  const { name: origin, circuit } = destination;
  const { failures } = circuit;
  const held = destination.heldUntil(now);
  switch (circuit.state) {
    case 'open':
      return { origin, state: 'open', failures, until: Math.max(circuit.until, held ?? 0) };
    case 'half-open':
      return { origin, state: 'half-open', failures, until: null };
    case 'closed':
      return held === null ? null : { origin, state: 'held', failures, until: held };
  }
}
