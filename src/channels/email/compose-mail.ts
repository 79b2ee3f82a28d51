import { Readable } from 'node:stream';
import type { Attachment, ReplyTarget } from '../../store/messages.js';
import { loadMailComposer } from './optional-packages.js';
import { conversationOf, ownMessageId } from './thread.js';

export interface OwnAddress {
  readonly address: string;
  /** In lower case. */
  readonly domain: string;
  readonly displayName: string;
}

/** A mail of the gateway: an answer, or the first one of a thread. */
export interface OutgoingMail {
  readonly target: Pick<ReplyTarget, 'address' | 'options'>;
  readonly text: string;
  /** Names the mail for ever: all attempts to send it have the same Message-ID. */
  readonly key: string;
  /** Milliseconds since the Unix epoch. */
  readonly writtenAt: number;
  readonly files: readonly FileToSend[];
}

export interface FileToSend {
  readonly name: string;
  readonly mediaType: string;
  readonly content: AsyncIterable<Uint8Array>;
}

/** The facts of a target that stand in the head of the mail. */
interface ThreadFacts {
  readonly conversation: string;
  readonly subject: string;
  readonly references: readonly string[];
}

/** Writes the mail as it goes over the wire. Lines end in CR and LF. */
export async function composeMail(own: OwnAddress, mail: OutgoingMail): Promise<Buffer> {
  const MailComposer = await loadMailComposer();
  const { conversation, subject, references } = threadFacts(mail);
  const node = new MailComposer({
    from: { name: own.displayName, address: own.address },
    to: { name: '', address: mail.target.address },
    subject,
    messageId: ownMessageId(mail.key, conversation, own.domain),
    date: new Date(mail.writtenAt),
    ...(references.length === 0 ? {} : { inReplyTo: references.at(-1) ?? '', references: [...references] }),
    headers: {
      // RFC 3834: nobody's program answers it.
      'Auto-Submitted': references.length === 0 ? 'auto-generated' : 'auto-replied',
      'X-Auto-Response-Suppress': 'All',
    },
    text: mail.text,
    attachments: mail.files.map(({ name, mediaType, content }) => ({
      filename: name,
      contentType: mediaType,
      content: Readable.from(content),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile();
  return await new Promise<Buffer>((resolve, reject) => {
    node.build((error, bytes) => (error === null ? resolve(bytes) : reject(error)));
  });
}

function threadFacts({ target, key }: OutgoingMail): ThreadFacts {
  const { conversation, subject, references } = target.options;
  const ids = Array.isArray(references) ? references.filter((id) => typeof id === 'string') : [];
  return {
    conversation: typeof conversation === 'string' ? conversation : conversationOf(key),
    subject: typeof subject === 'string' && subject !== '' ? subject : 'Message',
    references: ids,
  };
}

/** The bytes of a file within a mail: base64 in lines of 76 characters. */
const encodedPart = 1.37;

/** Divides the files of a reply into those that fit into one mail, in their order, and those that don't. */
export function filesThatFit(
  files: readonly Attachment[],
  limitBytes: number,
): { readonly fitting: readonly Attachment[]; readonly others: readonly Attachment[] } {
  let leftBytes = limitBytes;
  const fitting: Attachment[] = [];
  const others: Attachment[] = [];
  for (const file of files) {
    const encodedBytes = file.sizeBytes * encodedPart;
    if (encodedBytes > leftBytes) others.push(file);
    else {
      leftBytes -= encodedBytes;
      fitting.push(file);
    }
  }
  return { fitting, others };
}
