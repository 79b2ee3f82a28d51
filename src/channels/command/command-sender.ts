import type { Delivery } from '../../store/deliveries.js';
import type { UnknownPolicy } from '../../store/messages.js';
import { errorMessage } from '../../text/failure-text.js';
import { formatExactTimeSpan } from '../../text/time-span.js';
import type { ReplyGuarantee, ReplyPart, ReplySender, SendOutcome } from '../reply-sender.js';
import { chatSchedule, decideUnknown, refusedForGood, retryLater, withinLimit } from '../send-failures.js';
import { commandParts, keptReceipt } from './command-parts.js';
import type { HandedFile, HandedFiles } from './handed-files.js';
import type { OrderEnd, ProgramLink } from './program-link.js';

export interface CommandSenderOptions {
  /** The channel's name, for the names of settings. */
  readonly name: string;
  /** The program that runs; null: none does. */
  readonly link: () => ProgramLink | null;
  readonly files: HandedFiles;
  readonly now: () => number;
  /** Longest wait for the answer to a send, in milliseconds. */
  readonly timeoutMs: number;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
  /** The policy for a reply that may have arrived, if the program can't tell; null: the gateway's. */
  readonly unknown: UnknownPolicy | null;
}

/** Has replies sent by the channel's program. */
export class CommandSender implements ReplySender {
  readonly schedule = chatSchedule;
  readonly #options: CommandSenderOptions;
  readonly #startedAt: number;

  constructor(options: CommandSenderOptions) {
    this.#options = options;
    this.#startedAt = options.now();
  }

  /** @param link the program that is asked; default: the one that runs */
  guarantee(link = this.#options.link()): ReplyGuarantee {
    const idempotent = link !== null && (link.can('reconcile') || link.can('idempotent'));
    return { idempotent, unknown: this.#options.unknown };
  }

  destinationOf({ target }: Delivery): string {
    return target.address;
  }

  partsOf(delivery: Delivery): readonly ReplyPart[] {
    return commandParts(delivery, this.#options.link()?.textRules ?? null);
  }

  async send(part: ReplyPart, signal: AbortSignal): Promise<SendOutcome> {
    const { delivery, text } = part;
    const files = (part.files ?? []).map(({ name }) => name);
    const link = this.#options.link();
    if (link === null) return this.#failed(delivery, 'the program of the channel does not run');
    // There is nothing to say.
    if (text === '' && files.length === 0) return { kind: 'delivered', receipt: null };
    const to = delivery.target.address;
    const id = idOf(part);
    const settled = await this.#reconcile(part, link, signal);
    if (settled !== null) return settled;
    const { number, count = 1 } = part;
    const order = { id, to, text, part: number, parts: count, attempt: delivery.attempt, files };
    let handed: { readonly attachments?: readonly HandedFile[] };
    try {
      handed = await this.#handOver(part, link);
    } catch (error) {
      return this.#failed(delivery, `its files can't be handed over: ${errorMessage(error)}`);
    }
    const end = await link.order({ type: 'send', ...order, ...handed }, this.#options.timeoutMs, signal);
    // Otherwise the program may still read them: its next start removes them.
    if (handed.attachments !== undefined && end.type !== 'late' && end.type !== 'aborted') {
      await this.#options.files.remove(id).catch(() => undefined);
    }
    return this.#outcomeOf(part, link, end, signal);
  }

  async close(): Promise<void> {}

  async #handOver(
    part: ReplyPart,
    link: ProgramLink,
  ): Promise<{ readonly attachments?: readonly HandedFile[] }> {
    const { files = [] } = part;
    if (files.length === 0 || !link.can('files')) return {};
    return { attachments: await this.#options.files.put(idOf(part), files) };
  }

  /** Asks for the part if it may have been sent before. Null: it was not, or nobody can tell and it is sent again. */
  async #reconcile(part: ReplyPart, link: ProgramLink, signal: AbortSignal): Promise<SendOutcome | null> {
    const { delivery } = part;
    const mayBeSent = delivery.attempt > 1 || delivery.repliedAt <= this.#startedAt;
    if (!mayBeSent || !link.can('reconcile')) return null;
    const order = { type: 'reconcile', id: idOf(part), to: delivery.target.address } as const;
    const end = await link.order(order, this.#options.timeoutMs, signal);
    switch (end.type) {
      case 'sent':
        return { kind: 'delivered', receipt: keptReceipt(part, end.receipt, link.textRules) };
      case 'not_sent':
        return null;
      case 'unknown':
        return this.#settle(end.reason);
      default:
        return this.#outcomeOf(part, link, end, signal);
    }
  }

  /** Not even the platform knows: the policy decides. */
  #settle(why: string): SendOutcome | null {
    const { unknown, name } = this.#options;
    return decideUnknown(`the program can't tell (${why})`, { channel: name, unknown });
  }

  #outcomeOf(part: ReplyPart, link: ProgramLink, end: OrderEnd, signal: AbortSignal): SendOutcome {
    const { delivery } = part;
    switch (end.type) {
      case 'sent':
        return { kind: 'delivered', receipt: keptReceipt(part, end.receipt, link.textRules) };
      case 'not_sent': {
        if (end.final) return refusedForGood(end.reason);
        const retryAfterMilliseconds = end.retry_after === null ? null : Math.ceil(end.retry_after * 1_000);
        return this.#failed(delivery, end.reason, { retryAfterMilliseconds });
      }
      case 'unknown':
        return this.#failed(delivery, end.reason, { inDoubt: true });
      case 'gone':
        return this.#failed(delivery, `the program of the channel ${end.reason}`, { inDoubt: true });
      case 'late': {
        const reason = `the program gave no answer within ${formatExactTimeSpan(this.#options.timeoutMs)}`;
        return this.#failed(delivery, reason, { inDoubt: true });
      }
      case 'aborted':
        return { kind: 'aborted', inDoubt: true };
      case 'not_given':
        return signal.aborted ? { kind: 'aborted', inDoubt: false } : this.#failed(delivery, end.reason);
    }
  }

  #failed({ dueSince }: Delivery, reason: string, known: Parameters<typeof retryLater>[1] = {}): SendOutcome {
    const { name: channel, now, retryForMs } = this.#options;
    return withinLimit(retryLater(reason, known), { channel, retryForMs, dueSince, now: now() });
  }
}

/** The same for each attempt, and no other part's. */
function idOf({ delivery, number }: ReplyPart): string {
  return `${delivery.webhookId}.${number}`;
}
