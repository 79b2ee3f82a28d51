import { hash } from 'node:crypto';
import { type MailHead, onlyValue, valuesOf } from './headers.js';

/** Threads of mails: sessions by Message-ID, In-Reply-To and References (RFC 5322, section 3.6.4). */

export interface Thread {
  /** The conversation's name: 32 hex digits, the same for all mails of the thread. */
  readonly conversation: string;
  /** The mail's own id, with its brackets; null: it has none. */
  readonly messageId: string | null;
  /** The ids that an answer refers to: the thread's first one, and the last ones. */
  readonly references: readonly string[];
  /** True if it answers another mail. */
  readonly isAnswer: boolean;
}

/** Ids of one mail that are read, and those that an answer names. */
const mostRead = 200;
const mostNamed = 20;
/** A line of a mail has 998 characters at most. */
const longestId = 900;

/**
 * @param ownDomain the domain of the gateway's address, by which ids of its own mails are known
 * @param fallback stands for a mail without an id, such as its digest
 */
export function threadOf(head: MailHead, ownDomain: string, fallback: string): Thread {
  const [messageId = null] = messageIds(onlyValue(head, 'message-id') ?? '');
  const before = messageIds(valuesOf(head, 'references').join(' '));
  const parents = messageIds(valuesOf(head, 'in-reply-to').join(' '));
  const chain = [...before, ...parents.filter((id) => !before.includes(id))];
  // The latest mail of the gateway's own in the chain says the conversation, also where a program has left out the root.
  const own = chain.toReversed().map((id) => ownConversation(id, ownDomain));
  const conversation =
    own.find((each) => each !== null) ?? conversationOf(chain[0] ?? messageId ?? `<${fallback}>`);
  const named = [...chain.filter((id) => id !== messageId), ...(messageId === null ? [] : [messageId])];
  return { conversation, messageId, references: shortened(named), isAnswer: chain.length > 0 };
}

/** The conversation that a mail with this id begins. */
export function conversationOf(rootId: string): string {
  return hash('sha256', rootId).slice(0, 32);
}

/** The id of a mail of the gateway. It says the conversation, and is the same at each attempt to send it. */
export function ownMessageId(key: string, conversation: string, ownDomain: string): string {
  return `<${key.replace(/[^A-Za-z0-9_-]/g, '-')}.${conversation}@${ownDomain}>`;
}

function ownConversation(id: string, ownDomain: string): string | null {
  const match = /^<[\w-]+\.([0-9a-f]{32})@([^>]+)>$/.exec(id);
  return match?.[2]?.toLowerCase() === ownDomain ? (match[1] ?? null) : null;
}

/** `Re: ` stands before the subject once. */
export function answerSubject(subject: string): string {
  const plain = subject.replace(/\s+/g, ' ').trim();
  return /^re\s*:/i.test(plain) ? plain : `Re: ${plain}`.trim();
}

function messageIds(text: string): readonly string[] {
  const ids = [...text.matchAll(/<[^<>\s]{1,998}>/g)].map(([id]) => id);
  return [...new Set(ids.filter((id) => id.length <= longestId && /^[\x21-\x7e]+$/.test(id)))].slice(
    -mostRead,
  );
}

function shortened(ids: readonly string[]): readonly string[] {
  return ids.length <= mostNamed ? ids : [...ids.slice(0, 1), ...ids.slice(1 - mostNamed)];
}
