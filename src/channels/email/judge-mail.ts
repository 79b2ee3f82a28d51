import { reasonToDoubt } from './authentication-results.js';
import { type MailHead, onlyValue, valuesOf } from './headers.js';
import { type Mailbox, readMailbox } from './mailbox.js';

/** Decides from a mail's head who wrote it, and if an answer could begin a loop (RFC 3834). */

export type MailJudgement =
  /** Nobody vouches for its author: it gets no answer, and nothing of it is kept. */
  | { readonly kind: 'stranger'; readonly reason: string }
  /** A machine wrote it, or a list sent it on: it gets no answer. */
  | { readonly kind: 'automatic'; readonly reason: string }
  | { readonly kind: 'person'; readonly author: Mailbox };

export interface MailRules {
  readonly authservId: string;
  /** The gateway's own address, in lower case. */
  readonly ownAddress: string;
}

/**
 * @param returnPath of the envelope, without its brackets; null: the field Return-Path has it, where there is one
 */
export function judgeMail(head: MailHead, returnPath: string | null, rules: MailRules): MailJudgement {
  const stranger = (reason: string): MailJudgement => ({ kind: 'stranger', reason });
  if (!head.isSound) return stranger('its head has a line that is no field');
  const from = onlyValue(head, 'from');
  if (from === null) return stranger(`it has ${valuesOf(head, 'from').length} From fields`);
  const author = readMailbox(from);
  if (author === null) return stranger('its From is not one plain address');
  // The report of a server about one of our mails is automatic, though nobody vouches for it.
  const silence = reasonForSilence(head, returnPath, author, rules);
  if (silence !== null) return { kind: 'automatic', reason: silence };
  const fields = valuesOf(head, 'authentication-results');
  const doubt = reasonToDoubt({ domain: author.domain, authservId: rules.authservId, fields });
  return doubt === null ? { kind: 'person', author } : stranger(doubt);
}

/** Fields that only lists and senders of bulk mail set (RFC 2369, RFC 2919). */
const listFields = ['list-id', 'list-post', 'list-unsubscribe', 'mailing-list', 'feedback-id'];

/** Fields of programs that answer by themselves. */
const robotFields = ['x-autoreply', 'x-autorespond', 'x-auto-reply', 'x-failed-recipients'];

const robotNames = /^(?:mailer-daemon|no-?reply|do-?not-?reply|bounces?)$/;

/** Says why a mail must not be answered; null: nothing speaks against it. */
function reasonForSilence(
  head: MailHead,
  returnPath: string | null,
  { address }: Mailbox,
  { ownAddress }: MailRules,
): string | null {
  if (address === ownAddress) return 'it is from the gateway itself';
  if (robotNames.test(address.slice(0, address.lastIndexOf('@')))) return 'its author takes no mail';
  const paths = returnPath === null ? valuesOf(head, 'return-path').slice(0, 1) : [returnPath];
  if (paths.some((path) => path.replace(/[<>\s]+/g, '') === '')) return 'its return path is empty';
  const submitted = valuesOf(head, 'auto-submitted').map(firstWord);
  if (submitted.some((word) => word !== 'no')) return 'it is Auto-Submitted';
  const precedences = valuesOf(head, 'precedence').map(firstWord);
  if (precedences.some((word) => ['bulk', 'list', 'junk', 'auto_reply'].includes(word))) {
    return 'its Precedence is that of bulk mail';
  }
  const isSuppressed = valuesOf(head, 'x-auto-response-suppress').some((value) =>
    /\b(?:all|autoreply)\b/i.test(value),
  );
  if (isSuppressed) return 'it wants no automatic response';
  if (listFields.some((name) => valuesOf(head, name).length > 0)) return 'a mailing list sent it';
  if (robotFields.some((name) => valuesOf(head, name).length > 0)) return 'a program answered by itself';
  const isReport = valuesOf(head, 'content-type').some((value) =>
    /^\s*(?:multipart\/report|message\/(?:delivery-status|disposition-notification))\b/i.test(value),
  );
  return isReport ? 'it is a report of a mail server' : null;
}

/** The keyword before its parameters and comments, in lower case. */
function firstWord(value: string): string {
  return /^[\w-]*/.exec(value)?.[0].toLowerCase() ?? '';
}
