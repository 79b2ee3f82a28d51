import { errorMessage } from '../../text/failure-text.js';
import type { ReplyPart, ReplySender, SendOutcome } from '../reply-sender.js';
import { retryLater, withinLimit } from '../send-failures.js';
import { UnansweredError } from './peer.js';
import type { ProcessLink } from './process-link.js';

export interface IsolatedSenderOptions {
  /** The channel's name, for the names of settings. */
  readonly name: string;
  /** The channel's own sender, in this process: it says what is sent where, and sends nothing. */
  readonly planner: ReplySender;
  /** The process that runs; null: none does. */
  readonly link: () => ProcessLink | null;
  /** Waits for one that is started. */
  readonly awaitLink: (signal: AbortSignal) => Promise<ProcessLink | null>;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
  readonly clock: {
    readonly now: () => number;
    readonly after: (delayMs: number, callback: () => void) => () => void;
  };
}

/** Longest wait for the end of a call that was aborted, in milliseconds. */
const abortTimeoutMs = 2_000;

/** Has replies sent by the process of a channel. */
export function isolatedSender(options: IsolatedSenderOptions): ReplySender {
  const { planner, link } = options;
  const peer = () => {
    const running = link();
    if (running === null) throw new Error('the process of the channel does not run');
    return running.peer;
  };
  return {
    schedule: planner.schedule,
    ...(planner.stream !== undefined && { stream: planner.stream }),
    ...(planner.guarantee !== undefined && { guarantee: planner.guarantee.bind(planner) }),
    ...(planner.addressMistake !== undefined && { addressMistake: planner.addressMistake.bind(planner) }),
    destinationOf: (delivery) => planner.destinationOf(delivery),
    partsOf: (delivery) => planner.partsOf(delivery),
    send: (part, signal) => send(options, part, signal),
    ...(planner.reconcile !== undefined && {
      reconcile: async (part, signal) => peer().call('reconcile', part, signal),
    }),
    ...(planner.preview !== undefined && {
      preview: async (target, text, receipt, signal) =>
        peer().call('preview', { target, text, receipt }, signal),
    }),
    ...(planner.showTyping !== undefined && {
      showTyping: async (target, signal) => peer().call('showTyping', target, signal),
    }),
    ...(planner.ask !== undefined && {
      ask: async (target, question, signal) => peer().call('ask', { target, question }, signal),
    }),
    close: async () => undefined,
  };
}

async function send(
  options: IsolatedSenderOptions,
  part: ReplyPart,
  signal: AbortSignal,
): Promise<SendOutcome> {
  const { name: channel, awaitLink, retryForMs, clock } = options;
  const { dueSince } = part.delivery;
  const failed = (reason: string, inDoubt: boolean) =>
    withinLimit(retryLater(reason, { inDoubt }), { channel, retryForMs, dueSince, now: clock.now() });
  const running = await awaitLink(signal);
  if (signal.aborted) return { kind: 'aborted', inDoubt: false };
  if (running === null) return failed('the process of the channel does not run', false);
  try {
    const outcome = await settled(clock, signal, running.peer.call('send', part, signal));
    return outcome ?? { kind: 'aborted', inDoubt: true };
  } catch (error) {
    // A sender never rejects: one that does has a fault, and may have sent it.
    const inDoubt = !(error instanceof UnansweredError) || error.wasGiven;
    return signal.aborted ? { kind: 'aborted', inDoubt } : failed(errorMessage(error), inDoubt);
  }
}

/** Awaits the answer, but not for long once the signal is aborted: undefined then. */
async function settled<Answer>(
  clock: Pick<IsolatedSenderOptions['clock'], 'after'>,
  signal: AbortSignal,
  answer: Promise<Answer>,
): Promise<Answer | undefined> {
  let cancel = () => {};
  let abort = () => {};
  const late = new Promise<undefined>((resolve) => {
    abort = () => {
      cancel = clock.after(abortTimeoutMs, () => resolve(undefined));
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}
