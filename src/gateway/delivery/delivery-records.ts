import type { Clock } from '../../lifecycle/effects/clock.js';
import { messageIds } from '../../log/fields.js';
import type { Log } from '../../log/log.js';
import type { Delivery } from '../../store/deliveries.js';
import type { JsonValue, MessageState } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import { traceIdOf } from '../../text/trace-context.js';
import type { WorkLoop } from '../work/work-loop.js';
import type { Postponement, Verdict } from './verdict.js';

/** The end of an attempt, for whoever counts them. `unknown`: the reply may have arrived all the same. */
export interface AttemptRecord {
  readonly outcome: 'delivered' | 'failed' | 'dead';
  readonly unknown: boolean;
}

export interface DeliveryRecordsOptions {
  readonly store: Pick<Store, 'beginDelivery' | 'noteDeliveryPart' | 'completeDelivery' | 'failDelivery'>;
  readonly work: WorkLoop<Delivery>;
  readonly log: Log;
  readonly clock: Clock;
  readonly onChange: (delivery: Delivery, state: MessageState) => void;
  /** An attempt has ended, and that is on disk. */
  readonly onEnd: (delivery: Delivery, end: AttemptRecord) => void;
  /** The store did not take it before the end: the delivery is to be put back. */
  readonly onGivenUp: (delivery: Delivery) => void;
}

/** Writes to the store how deliveries end, and tells it in the log. */
export class DeliveryRecords {
  readonly counts = { delivered: 0, failed: 0, dead: 0 };
  readonly #options: DeliveryRecordsOptions;

  constructor(options: DeliveryRecordsOptions) {
    this.#options = options;
  }

  /** False when it must not be sent: the claim is lost, or the gateway ends. */
  begin(delivery: Delivery): Promise<boolean> {
    return this.#write(delivery, () => this.#options.store.beginDelivery(delivery));
  }

  /** False when nothing more of it must be sent: the claim is lost, or the gateway ends. */
  partDelivered(delivery: Delivery, part: number, receipt: JsonValue): Promise<boolean> {
    return this.#write(delivery, () => this.#options.store.noteDeliveryPart(delivery, part, receipt));
  }

  async delivered(delivery: Delivery): Promise<void> {
    const { store, log } = this.#options;
    if (!(await this.#write(delivery, () => store.completeDelivery(delivery)))) return;
    this.counts.delivered += 1;
    this.#options.onEnd(delivery, { outcome: 'delivered', unknown: false });
    log.debug('A reply was delivered.', fields(delivery));
    this.notify(delivery, 'delivered');
  }

  async failed(delivery: Delivery, verdict: Verdict): Promise<void> {
    if (!(await this.#writeFailure(delivery, verdict))) return;
    const { log, clock } = this.#options;
    this.counts.failed += 1;
    const outcome = verdict.retryAt === null ? 'dead' : 'failed';
    this.#options.onEnd(delivery, { outcome, unknown: verdict.unknown });
    if (verdict.retryAt === null) {
      this.counts.dead += 1;
      log.err(`A reply could not be delivered: ${verdict.error}`, {
        ...fields(delivery),
        MESSAGE_ID: messageIds.deliveryDead,
      });
    } else {
      const seconds = Math.max(0, verdict.retryAt - clock.now()) / 1_000;
      log.warning(
        `Attempt ${delivery.attempt} to deliver a reply failed, tried again in ${seconds} s: ${verdict.error}`,
        fields(delivery),
      );
    }
    this.notify(delivery, verdict.retryAt === null ? 'dead' : 'replied');
  }

  /** Logs nothing: there is one record for the host, not for each delivery that waits for it. */
  async postponed(delivery: Delivery, failure: Postponement): Promise<void> {
    await this.#writeFailure(delivery, failure);
  }

  notify(delivery: Delivery, state: MessageState): void {
    const { work, onChange } = this.#options;
    work.notify(() => onChange(delivery, state), fields(delivery));
  }

  #writeFailure(delivery: Delivery, { retryAt, ...failure }: Postponement): Promise<boolean> {
    const { store, work, clock } = this.#options;
    return this.#write(delivery, async () => {
      const retryInMs = retryAt === null ? null : Math.max(0, retryAt - clock.now());
      if (!(await store.failDelivery(delivery, { ...failure, retryInMs }))) return false;
      if (retryInMs !== null) work.claims.dueIn(retryInMs);
      return true;
    });
  }

  async #write(delivery: Delivery, write: () => Promise<boolean>): Promise<boolean> {
    const { work, log, onGivenUp } = this.#options;
    const { result } = await work.write(write);
    if (result === 'claim-lost') this.#noteLostClaim(delivery);
    if (result === 'given-up') {
      log.err(
        'The store did not take the outcome of a delivery before the gateway had to stop; the next start judges it as one that was cut off.',
        fields(delivery),
      );
      onGivenUp(delivery);
    }
    return result === 'written';
  }

  #noteLostClaim(delivery: Delivery): void {
    this.#options.log.warning(
      'The lease on a delivery ran out before it was renewed; another gateway has it now, under the same webhook-id.',
      fields(delivery),
    );
  }
}

function fields(delivery: Delivery) {
  return {
    SD_GATEWAY_SESSION: delivery.session,
    SD_GATEWAY_MESSAGE: delivery.messageId,
    SD_GATEWAY_ATTEMPT: delivery.attempt,
    TRACE_ID: traceIdOf(delivery.metadata) ?? undefined,
  };
}
