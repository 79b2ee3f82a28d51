import type { Delivery } from '../../store/deliveries.js';
import type { Attachment, ReplyTarget } from '../../store/messages.js';
import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext } from '../channel.js';
import type { ReplyPart, ReplySender, SendOutcome } from '../reply-sender.js';
import { refusedForGood, retryLater, withinLimit } from '../send-failures.js';
import {
  composeMail,
  type FileToSend,
  filesThatFit,
  type OutgoingMail,
  type OwnAddress,
} from './compose-mail.js';
import { readAddress } from './mailbox.js';
import { type SmtpClientOptions, SmtpError, sendBySmtp } from './smtp-client.js';
import { smtpVerdict } from './smtp-outcome.js';

export interface SmtpSenderOptions {
  readonly context: Pick<ChannelContext, 'name' | 'openFile' | 'clock'>;
  readonly own: OwnAddress;
  readonly client: SmtpClientOptions;
  readonly messageLimitBytes: number;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
}

const schedule = [1_000, 10_000, 60_000, 300_000, 900_000];

/** Sends replies as mails. */
export class SmtpSender implements ReplySender {
  readonly schedule = schedule;
  readonly #options: SmtpSenderOptions;

  constructor(options: SmtpSenderOptions) {
    this.#options = options;
  }

  /** All replies go by the same server. */
  destinationOf(): string {
    const { host, port } = this.#options.client.server;
    return `${host}:${port}`;
  }

  partsOf(delivery: Delivery): readonly ReplyPart[] {
    return [{ delivery, number: 1, text: delivery.notice ?? delivery.replyText }];
  }

  async send({ delivery, text }: ReplyPart, signal: AbortSignal): Promise<SendOutcome> {
    const files = delivery.replyAttachments ?? [];
    // There is nothing to say.
    if (text === '' && files.length === 0) return { kind: 'delivered', receipt: null };
    try {
      const response = await this.#post(
        {
          target: delivery.target,
          key: delivery.webhookId,
          writtenAt: delivery.repliedAt,
          ...(await this.#contentOf(text, files)),
        },
        signal,
      );
      return { kind: 'delivered', receipt: response.slice(0, 200) };
    } catch (error) {
      return this.#outcomeOf(delivery, error, signal);
    }
  }

  /** Sends a short text at once. Rejects if it was not sent. */
  async say(target: Pick<ReplyTarget, 'address' | 'options'>, text: string, key: string): Promise<void> {
    const writtenAt = this.#options.context.clock.now();
    const signal = AbortSignal.timeout(this.#options.client.timeoutMs);
    await this.#post({ target, text, key, writtenAt, files: [] }, signal);
  }

  async close(): Promise<void> {}

  async #post(mail: OutgoingMail, signal: AbortSignal): Promise<string> {
    const { own, client } = this.#options;
    const to = readAddress(mail.target.address);
    if (to === null) throw new AddressError(mail.target.address);
    const bytes = await composeMail(own, mail);
    return sendBySmtp(client, { from: own.address, to: mail.target.address }, bytes, signal);
  }

  /** Names the files that can't be sent. */
  async #contentOf(
    text: string,
    attachments: readonly Attachment[],
  ): Promise<Pick<OutgoingMail, 'text' | 'files'>> {
    const { context, messageLimitBytes } = this.#options;
    const { fitting, others } = filesThatFit(attachments, messageLimitBytes - Buffer.byteLength(text));
    const files: FileToSend[] = [];
    const notes = others.map(
      ({ name, sizeBytes }) => `[${name} (${sizeBytes} bytes) is too large for a mail.]`,
    );
    for (const file of fitting) {
      const content = await context.openFile(file);
      if (content === null) notes.push(`[${file.name} is no longer there.]`);
      else files.push({ name: file.name, mediaType: file.mediaType, content });
    }
    return { text: [...(text === '' ? [] : [text]), ...notes].join('\n\n'), files };
  }

  #outcomeOf({ dueSince }: Delivery, error: unknown, signal: AbortSignal): SendOutcome {
    if (error instanceof AddressError) return refusedForGood(error.message);
    const failure = error instanceof SmtpError ? error.failure : null;
    const inDoubt = failure?.mayHaveArrived === true;
    if (signal.aborted) return { kind: 'aborted', inDoubt };
    const reason = `the mail server ${this.destinationOf()} has not taken it: ${errorMessage(error)}`;
    const verdict = failure === null ? ({ kind: 'later' } as const) : smtpVerdict(failure);
    const peer = failure === null ? 'unasked' : verdict.kind === 'server' ? 'failing' : 'well';
    if (verdict.kind === 'never') return { kind: 'dead', reason, peer };
    const { context, retryForMs } = this.#options;
    const limit = { channel: context.name, retryForMs, dueSince, now: context.clock.now() };
    return withinLimit(retryLater(reason, { peer, inDoubt }), limit);
  }
}

/** The target of a reply is no mailbox. */
class AddressError extends Error {
  constructor(address: string) {
    super(`${JSON.stringify(address.slice(0, 300))} is no address of a mailbox`);
    this.name = 'AddressError';
  }
}
