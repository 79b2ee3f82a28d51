import type { SendOutcome } from '../reply-sender.js';
import { refusedForGood, retryLater } from '../send-failures.js';
import type { ApiEnd } from './bot-api.js';

/** Decides what the end of a send means: pure functions. */

type Refusal = Extract<ApiEnd, { readonly kind: 'refused' }>;

/** The way in which a refused send may still arrive. */
export type SecondWay = 'plain-text' | 'new-message' | 'as-document' | 'moved-chat';

export function secondWayOf(
  end: Refusal,
  {
    isFormatted,
    isEdit,
    isPhoto,
  }: { readonly isFormatted: boolean; readonly isEdit: boolean; readonly isPhoto: boolean },
): SecondWay | null {
  const { code, description, migrateToChatId } = end;
  if (migrateToChatId !== null) return 'moved-chat';
  if (code !== 400) return null;
  if (isFormatted && /can't parse entities/i.test(description)) {
    return 'plain-text';
  }
  // The preview was deleted, or is too old.
  if (isEdit && /message (?:to edit not found|can't be edited)/i.test(description)) return 'new-message';
  return isPhoto ? 'as-document' : null;
}

/** True if the message has this text already: the edit arrived before. */
export function isUnchanged({ code, description }: Refusal): boolean {
  return code === 400 && /message is not modified/i.test(description);
}

/** The outcome of a send that Telegram has refused, and no second way is left. */
export function judgeRefusal({ code, description, retryAfterMs }: Refusal): SendOutcome {
  const reason = `Telegram refuses it: ${description}`;
  if (code === 429 || code === 401 || code === 404 || code === 409 || code >= 500) {
    // Between Telegram's own servers an answer may be lost.
    const inDoubt = code === 502 || code === 504;
    return retryLater(reason, { retryAfterMilliseconds: retryAfterMs, inDoubt });
  }
  // The bot is blocked or was removed, there is no such chat or topic, or the message itself is wrong.
  return refusedForGood(reason);
}
