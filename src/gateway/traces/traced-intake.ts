import type { NewMessage } from '../../store/messages.js';
import { traceparentOf } from '../../text/trace-context.js';
import type { CountedIntake } from '../metrics/counted.js';
import type { TracedWork, Tracer } from './tracer.js';

/** Has the acceptance of each message in its trace, and what comes after it below that span. */
export function tracedIntake(intake: CountedIntake, tracer: Pick<Tracer, 'begin'>): CountedIntake {
  return {
    async accept(message, limits) {
      const work = begin(tracer, message);
      try {
        const outcome = await intake.accept(within(message, work), limits);
        work.end(outcome.outcome, false);
        return outcome;
      } catch (error) {
        work.end('not_taken', true);
        throw error;
      }
    },
    async acceptAll(messages, limits, checkpoint) {
      const works = messages.map((message) => begin(tracer, message));
      const traced = messages.map((message, index) => within(message, works[index]));
      try {
        const outcomes = await intake.acceptAll(traced, limits, checkpoint);
        for (const [index, work] of works.entries()) work.end(outcomes[index]?.outcome ?? 'none', false);
        return outcomes;
      } catch (error) {
        for (const work of works) work.end('not_taken', true);
        throw error;
      }
    },
  };
}

function begin(tracer: Pick<Tracer, 'begin'>, { channel, metadata, id }: NewMessage): TracedWork {
  return tracer.begin('sd_gateway.accept', traceparentOf(metadata), {
    'sd_gateway.channel': channel,
    'sd_gateway.message': id,
  });
}

/** The same message if there is no span of its own. */
function within(message: NewMessage, work: TracedWork | undefined): NewMessage {
  const traceparent = work?.traceparent ?? null;
  if (traceparent === null || traceparent === traceparentOf(message.metadata)) return message;
  return { ...message, metadata: { ...message.metadata, traceparent } };
}
