import type { ProblemKind } from '../../channels/http/problem.js';
import type { Delivery } from '../../store/deliveries.js';
import type { UnknownPolicy } from '../../store/messages.js';
import type { AcceptOutcome } from '../../store/turns.js';
import type { AttemptRecord } from '../delivery/delivery-records.js';
import type { AttemptOutcome } from '../dispatch/policy.js';
import type { Family } from './exposition.js';
import { Counter, Histogram } from './instruments.js';

/** Longest agents run for a day. */
const turnBoundsMs = [
  100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
];

/** The reason for which a message was not taken in, or not for an agent. */
export type RefusalReason =
  /** Too many wait: in its session, or in all. */
  | 'session_queue'
  | 'total_queue'
  /** Its idempotency key stands for another message. */
  | 'conflict'
  /** No agent can be given it, and it is kept as dead. */
  | 'set_aside'
  | 'not_allowed'
  | 'store_full'
  | 'store_unavailable';

/** Names of the configuration: others are counted together, so that labels have a bound. */
export interface KnownNames {
  readonly agents: readonly string[];
  readonly channels: readonly string[];
}

/**
 * Counts what happens, since the start. Each call is a look into a map, and throws nothing: so it is in nobody's way,
 * whether somebody reads the counts or not.
 */
export class GatewayMetrics {
  /** Names that labels may have, by the configuration in force. */
  names: () => KnownNames = () => ({ agents: [], channels: [] });
  readonly #accepted = new Counter<'channel'>(
    'sd_gateway_messages_accepted_total',
    'Messages that were taken in for an agent, by their channel.',
  );
  readonly #repeated = new Counter<'channel'>(
    'sd_gateway_messages_repeated_total',
    'Messages that came again under an idempotency key that was known.',
  );
  readonly #refused = new Counter<'channel' | 'reason'>(
    'sd_gateway_messages_refused_total',
    'Messages that were not taken in for an agent, by the reason.',
  );
  readonly #problems = new Counter<'type'>(
    'sd_gateway_http_problems_total',
    'Requests that were answered with an error, by the type of the problem (docs/http.md).',
  );
  readonly #turns = new Histogram<'agent' | 'outcome'>(
    'sd_gateway_turn_duration_seconds',
    'Time of turns, from the beginning to the end on disk, the wait for a person included.',
    turnBoundsMs,
  );
  readonly #deliveries = new Counter<'channel' | 'class' | 'outcome'>(
    'sd_gateway_delivery_attempts_total',
    'Attempts to deliver a reply that ended, by the class of the target and the outcome.',
  );
  readonly #unknown = new Counter<'channel' | 'class'>(
    'sd_gateway_deliveries_unknown_total',
    'Attempts of which nobody knows whether the reply arrived.',
  );
  readonly #sent = new Map<string, number>();

  accepted(channel: string, outcome: AcceptOutcome): void {
    const name = this.#channel(channel);
    switch (outcome.outcome) {
      case 'accepted':
        this.#accepted.add({ channel: name });
        break;
      case 'repeated':
        this.#repeated.add({ channel: name });
        break;
      case 'full':
        this.refused(channel, `${outcome.limit}_queue`);
        break;
      case 'conflict':
        this.refused(channel, 'conflict');
        break;
      case 'set-aside':
        this.refused(channel, 'set_aside');
        break;
    }
  }

  refused(channel: string, reason: RefusalReason, count = 1): void {
    this.#refused.add({ channel: this.#channel(channel), reason }, count);
  }

  problem(kind: ProblemKind): void {
    this.#problems.add({ type: kind });
  }

  turnEnded(agent: string, outcome: AttemptOutcome, durationMs: number): void {
    const name = this.names().agents.includes(agent) ? agent : 'other';
    this.#turns.observe({ agent: name, outcome }, durationMs);
  }

  /** `general`: `delivery.unknown`. `at`: milliseconds since the Unix epoch. */
  deliveryEnded(
    delivery: Pick<Delivery, 'target' | 'idempotent' | 'unknownPolicy'>,
    end: AttemptRecord,
    { general, at }: { readonly general: UnknownPolicy; readonly at: number },
  ): void {
    const channel = this.#channel(delivery.target.channel);
    const deliveryClass = delivery.idempotent ? 'idempotent' : (delivery.unknownPolicy ?? general);
    this.#deliveries.add({ channel, class: deliveryClass, outcome: end.outcome });
    if (end.unknown) this.#unknown.add({ channel, class: deliveryClass });
    if (end.outcome === 'delivered') this.#sent.set(channel, at);
  }

  /** When a reply was last delivered by the channel, in milliseconds since the Unix epoch; null: not since the start. */
  sentAt(channel: string): number | null {
    return this.#sent.get(channel) ?? null;
  }

  families(): readonly Family[] {
    const { agents, channels } = this.names();
    // They begin at 0, so that the first one shows as an increase.
    for (const channel of ['http', ...channels]) this.#accepted.add({ channel }, 0);
    for (const agent of agents) this.#turns.declare({ agent, outcome: 'replied' });
    return [
      this.#accepted,
      this.#repeated,
      this.#refused,
      this.#problems,
      this.#turns,
      this.#deliveries,
      this.#unknown,
    ].map((each) => each.family());
  }

  /** A channel that the configuration has no more may have replies that wait for it. */
  #channel(name: string): string {
    return name === 'http' || name === 'webhook' || this.names().channels.includes(name) ? name : 'other';
  }
}
