import type { Delivery } from '../../store/deliveries.js';
import type { Attachment } from '../../store/messages.js';
import { formBeginning, formReply } from '../reply-text/reply-form.js';
import { slackMrkdwn } from '../reply-text/slack-mrkdwn.js';

/** Decides which messages a reply becomes: pure functions. */

export type SlackPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: Attachment };

/** Largest file that Slack takes, in bytes (docs.slack.dev/messaging/working-with-files). */
const largestFileBytes = 1_000_000_000;

const mrkdwn = slackMrkdwn();

/** The same for each attempt. None: there is nothing to say. */
export function planReply(
  delivery: Pick<Delivery, 'notice' | 'replyText' | 'replyAttachments'>,
): readonly SlackPart[] {
  const { notice, replyText, replyAttachments = [] } = delivery;
  const texts = formReply(notice ?? replyText, mrkdwn);
  const files = notice === null ? replyAttachments.map(plannedFile) : [];
  return [...texts.map(({ formed }) => ({ kind: 'text', text: formed }) as const), ...files];
}

/** The beginning of a text that grows, as one message shows it; null: there is nothing to be seen yet. */
export function planPreview(text: string): string | null {
  return formBeginning(text, mrkdwn)?.formed ?? null;
}

/** A text without any markup. */
export function plainText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function plannedFile(file: Attachment): SlackPart {
  const { name, sizeBytes } = file;
  const told = (what: string): SlackPart => ({
    kind: 'text',
    text: plainText(`[the file ${JSON.stringify(name)} ${what}]`),
  });
  if (sizeBytes > largestFileBytes) return told('is larger than Slack takes');
  return sizeBytes === 0 ? told('is empty') : { kind: 'file', file };
}
