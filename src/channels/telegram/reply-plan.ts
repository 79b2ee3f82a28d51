import type { Delivery } from '../../store/deliveries.js';
import type { Attachment } from '../../store/messages.js';
import { type FormedPart, formBeginning, formReply } from '../reply-text/reply-form.js';
import { telegramHtml } from '../reply-text/telegram-html.js';

/** Decides which messages a reply becomes: pure functions. */

export type PlannedPart =
  | ({ readonly kind: 'text' } & FormedPart)
  | { readonly kind: 'file'; readonly file: Attachment; readonly isPhoto: boolean };

/** Largest file and photo that a bot may send, in bytes. */
const largestFileBytes = 50_000_000;
const largestPhotoBytes = 10_000_000;
const photoTypes: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/webp']);

const html = telegramHtml();

/** The same for each attempt. None: there is nothing to say. */
export function planReply(
  delivery: Pick<Delivery, 'notice' | 'replyText' | 'replyAttachments'>,
): readonly PlannedPart[] {
  const { notice, replyText, replyAttachments = [] } = delivery;
  const texts = formReply(notice ?? replyText, html);
  const files = notice === null ? replyAttachments.map(plannedFile) : [];
  return [...texts.map((part) => ({ kind: 'text', ...part }) as const), ...files];
}

/** The beginning of a text that grows, as one message shows it; null: there is nothing to be seen yet. */
export function planPreview(text: string): PlannedPart | null {
  const first = formBeginning(text, html);
  return first === null ? null : { kind: 'text', ...first };
}

export function plainPart(text: string): PlannedPart & { readonly kind: 'text' } {
  return { kind: 'text', formed: escapedHtml(text), plain: text };
}

function escapedHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function plannedFile(file: Attachment): PlannedPart {
  if (file.sizeBytes > largestFileBytes) {
    const megabytes = Math.ceil(file.sizeBytes / 1_000_000);
    return plainPart(
      `[the file ${JSON.stringify(file.name)} of ${megabytes} MB is larger than Telegram takes]`,
    );
  }
  // Telegram takes no file that is empty.
  if (file.sizeBytes === 0) return plainPart(`[the file ${JSON.stringify(file.name)} is empty]`);
  return {
    kind: 'file',
    file,
    isPhoto: photoTypes.has(file.mediaType) && file.sizeBytes <= largestPhotoBytes,
  };
}
