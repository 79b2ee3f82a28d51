import type { ReceiveOutcome } from '../../channels/channel.js';
import type { Reception } from '../../channels/conversation/reception.js';
import type { NewMessage } from '../../store/messages.js';
import { StoreError } from '../../store/store-error.js';
import type { Intake } from '../intake.js';
import type { GatewayMetrics, RefusalReason } from './gateway-metrics.js';

/** Intake and reception with a count of each outcome, which know nothing of it. */

export type CountedIntake = Pick<Intake, 'accept' | 'acceptAll'>;

export function countedIntake(
  intake: CountedIntake,
  metrics: Pick<GatewayMetrics, 'accepted' | 'refused'>,
): CountedIntake {
  return {
    async accept(message, limits) {
      const outcome = await counted([message], () => intake.accept(message, limits), metrics);
      metrics.accepted(message.channel, outcome);
      return outcome;
    },
    async acceptAll(messages, limits, checkpoint) {
      const take = () => intake.acceptAll(messages, limits, checkpoint);
      const outcomes = await counted(messages, take, metrics);
      for (const [index, outcome] of outcomes.entries()) {
        metrics.accepted(messages[index]?.channel ?? 'other', outcome);
      }
      return outcomes;
    },
  };
}

async function counted<Outcome>(
  messages: readonly Pick<NewMessage, 'channel'>[],
  take: () => Promise<Outcome>,
  metrics: Pick<GatewayMetrics, 'refused'>,
): Promise<Outcome> {
  try {
    return await take();
  } catch (error) {
    const reason: RefusalReason =
      error instanceof StoreError && error.reason === 'full' ? 'store_full' : 'store_unavailable';
    for (const { channel } of messages) metrics.refused(channel, reason);
    throw error;
  }
}

/** Counts messages of people who may not write; the others are counted as they are taken in. */
export function countedReception<Receiving extends Pick<Reception, 'receive' | 'keeps'>>(
  reception: Receiving,
  channel: string,
  metrics: Pick<GatewayMetrics, 'refused'>,
): Pick<Reception, 'receive' | 'keeps'> {
  return {
    keeps: (received) => reception.keeps(received),
    async receive(received, checkpoint) {
      const outcomes: readonly ReceiveOutcome[] = await reception.receive(received, checkpoint);
      const refused = outcomes.filter(({ outcome }) => outcome === 'not-allowed').length;
      if (refused > 0) metrics.refused(channel, 'not_allowed', refused);
      return outcomes;
    },
  };
}
