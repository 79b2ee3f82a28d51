import { hash } from 'node:crypto';
import type { EmailChannelConfiguration } from '../../config/channel-table.js';
import { answeredWithin } from '../../lifecycle/effects/waits.js';
import { AttachmentLimitError, type NewAttachments } from '../../store/new-attachments.js';
import { errorMessage } from '../../text/failure-text.js';
import { ownCommand } from '../../text/own-command.js';
import type { ChannelCheckpoint, ChannelContext, Received } from '../channel.js';
import { Complaints } from '../complaints.js';
import { readHead } from './headers.js';
import { judgeMail } from './judge-mail.js';
import type { ArrivedMail } from './lmtp-session.js';
import { readAddress } from './mailbox.js';
import { newText } from './new-text.js';
import { type MailContent, type MailFile, parseMail } from './parse-mail.js';
import { answerSubject, threadOf } from './thread.js';
import { TurnLimit } from './turn-limit.js';

export interface MailIntakeOptions {
  readonly context: ChannelContext;
  readonly configuration: Pick<
    EmailChannelConfiguration,
    'address' | 'authserv_id' | 'message_limit' | 'replies_per_hour' | 'unknown'
  >;
  /** Reads the content of a mail. Default: as `parseMail` does. */
  readonly parse?: (bytes: Buffer) => Promise<MailContent>;
}

/** A text that is longer goes into a file of its own. */
const longestText = 256 * 1024;
/** Longest time in which a mail is read, in milliseconds. The mails behind it wait. */
const readingTimeoutMs = 60_000;
/** Files that are named in the text as they are left out; of more there is only their number. */
const mostNamed = 10;

/** Decides about each mail that has come, and puts those of people who may write on disk. */
export class MailIntake {
  readonly #options: MailIntakeOptions;
  readonly #complaints: Complaints;
  readonly #limit: TurnLimit;
  readonly #own: { readonly address: string; readonly domain: string };

  constructor(options: MailIntakeOptions) {
    const { context, configuration } = options;
    const own = readAddress(configuration.address);
    if (own === null) throw new Error(`channels.${context.name}.address is no address of a mailbox`);
    this.#options = options;
    this.#own = own;
    this.#complaints = new Complaints(context);
    this.#limit = new TurnLimit(configuration.replies_per_hour, () => context.clock.now());
  }

  /**
   * Resolves once the mail, or the decision against it, is on disk with the position. Gives false if nothing of it was
   * kept. Throws a StoreError: acknowledge nothing, and give it again.
   *
   * @param mail null: there is only a position
   */
  async take(mail: ArrivedMail | null, checkpoint?: ChannelCheckpoint): Promise<boolean> {
    const received = mail === null ? null : this.#judged(mail);
    const { context } = this.#options;
    if (mail === null || received === null || !(await context.keeps(received))) {
      await context.receive(received === null ? [] : [received], checkpoint);
      return false;
    }
    const files = context.newFiles();
    try {
      return await this.#keep(await this.#completed(received, mail, files), checkpoint);
    } catch (error) {
      await files.discard();
      throw error;
    }
  }

  /** Gives the message without its content; null: it is nobody's who can be known, or a machine's. */
  #judged(mail: ArrivedMail): Received | null {
    const { context, configuration } = this.#options;
    const head = readHead(mail.bytes);
    const judgement = judgeMail(head, mail.returnPath, {
      authservId: configuration.authserv_id,
      ownAddress: this.#own.address,
    });
    if (judgement.kind !== 'person') {
      const said =
        judgement.kind === 'stranger'
          ? 'was left out, as nobody vouches for its author'
          : 'was left out, as it must not be answered';
      this.#complaints.note(
        judgement.kind,
        `A mail to the channel ${context.name} ${said}: ${judgement.reason}.`,
      );
      return null;
    }
    const { address } = judgement.author;
    const digest = hash('sha256', mail.bytes.subarray(head.endBytes)).slice(0, 16);
    const thread = threadOf(head, this.#own.domain, digest);
    return {
      conversation: thread.conversation,
      // A program may give two mails the same id.
      id: `${thread.messageId ?? ''} ${digest}`,
      person: { id: address, name: null },
      isGroup: null,
      text: '',
      replyTo: {
        address,
        options: { conversation: thread.conversation, references: thread.references, subject: 'Re:' },
      },
      replyIdempotent: false,
      replyUnknown: configuration.unknown,
      metadata: { message_id: thread.messageId, is_answer: thread.isAnswer },
    };
  }

  /** Adds the content, or says why it can't be read. */
  async #completed(received: Received, mail: ArrivedMail, files: NewAttachments): Promise<Received> {
    const { context, configuration, parse = parseMail } = this.#options;
    const raw = mail.bytes.subarray(0, longestText).toString();
    if (mail.sizeBytes > configuration.message_limit) {
      const reason = `the mail has ${mail.sizeBytes} bytes, and ${configuration.message_limit} may be (message_limit)`;
      return { ...received, defect: { kind: 'too-large', reason, raw } };
    }
    let content: MailContent;
    try {
      content = await answeredWithin(context.clock, readingTimeoutMs, () => parse(mail.bytes));
    } catch (error) {
      const reason = `the mail can’t be read: ${errorMessage(error)}`;
      return { ...received, defect: { kind: 'unreadable', reason, raw } };
    }
    return withContent(received, content, files);
  }

  async #keep(received: Received, checkpoint?: ChannelCheckpoint): Promise<boolean> {
    const { context, configuration } = this.#options;
    const {
      person,
      isGroup: _group,
      isAddressed: _addressed,
      origin: _origin,
      defect,
      ...message
    } = received;
    const sender = person?.id ?? '';
    if (defect === undefined && !this.#limit.take(sender)) {
      // An answer that says so could be answered as well.
      const limit = `${configuration.replies_per_hour} mails an hour are answered (channels.${context.name}.replies_per_hour)`;
      await context.accept(
        [{ ...message, sender, setAside: `too many mails of one person: ${limit}` }],
        checkpoint,
      );
      this.#complaints.note(
        'limit',
        `A mail of ${JSON.stringify(sender)} to the channel ${context.name} was set aside as dead: ${limit}. See "${ownCommand('dead')}".`,
      );
      return true;
    }
    await context.receive([received], checkpoint);
    return true;
  }
}

async function withContent(
  received: Received,
  { subject, text, authorName, files: mailFiles }: MailContent,
  files: NewAttachments,
): Promise<Received> {
  const { metadata = {}, replyTo, person } = received;
  const isAnswer = metadata['is_answer'] === true;
  const isForward = /^\s*(?:fwd?|wg|tr)\s*:/i.test(subject);
  const written = newText({ text, subject, isAnswer });
  const notes: string[] = [];
  let leftOut = 0;
  const given =
    written.length <= longestText
      ? mailFiles
      : [{ name: 'mail.txt', mediaType: 'text/plain', bytes: Buffer.from(written) }, ...mailFiles];
  if (written.length > longestText) notes.push('[The text is cut. All of it is in mail.txt.]');
  for (const file of given) {
    const note = await addFile(files, file);
    if (note === null) continue;
    leftOut += 1;
    if (leftOut <= mostNamed) notes.push(note);
  }
  if (leftOut > mostNamed) notes.push(`[${leftOut - mostNamed} more were left out.]`);
  // The subject of an answer is that of the mail that began the thread.
  const head = isAnswer || subject === '' ? [] : [`Subject: ${subject}`];
  const body = written.slice(0, longestText);
  return {
    ...received,
    text: [...head, ...(body === '' ? [] : [body]), ...notes].join('\n\n'),
    person: person === null ? null : { ...person, name: authorName },
    origin: isForward ? 'forwarded' : 'written',
    attachments: files.list,
    metadata: { ...metadata, subject },
    replyTo:
      replyTo === null
        ? null
        : { ...replyTo, options: { ...replyTo.options, subject: answerSubject(subject) } },
  };
}

/** Gives the line that stands for a file that is too large; null: it was added. */
async function addFile(files: NewAttachments, { name, mediaType, bytes }: MailFile): Promise<string | null> {
  try {
    await files.add({ name, mediaType }, [bytes]);
    return null;
  } catch (error) {
    if (!(error instanceof AttachmentLimitError)) throw error;
    return `[A file was left out: ${JSON.stringify((name ?? 'file').slice(0, 100))} ${error.message}.]`;
  }
}
