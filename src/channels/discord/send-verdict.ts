import type { SendOutcome } from '../reply-sender.js';
import { refusedForGood, retryLater } from '../send-failures.js';
import type { DiscordEnd } from './discord-api.js';

/** Decides what the end of a send means: pure functions. */

type Failure = Exclude<DiscordEnd, { readonly kind: 'ok' }>;
type Refusal = Extract<DiscordEnd, { readonly kind: 'refused' }>;

/** Discord's numbers (discord.com/developers/docs/topics/opcodes-and-status-codes, "JSON"). */
const unknownMessage = 10_008;
const noReplyWithoutHistory = 160_002;

/** The way in which a refused send may still arrive. */
export type OtherWay = 'new-message' | 'without-reference';

export function otherWayOf(
  { code }: Refusal,
  { isEdit, isReply }: { readonly isEdit: boolean; readonly isReply: boolean },
): OtherWay | null {
  // The preview was deleted.
  if (isEdit && code === unknownMessage) return 'new-message';
  return isReply && code === noReplyWithoutHistory ? 'without-reference' : null;
}

/** The outcome of a send that has failed, and no other way is left. */
export function judgeSend(end: Failure): SendOutcome {
  switch (end.kind) {
    case 'aborted':
      return { kind: 'aborted', inDoubt: end.inDoubt };
    case 'failed':
      return retryLater(`Discord was not reached: ${end.reason}`, { inDoubt: end.inDoubt });
    case 'held':
      return retryLater('Discord has asked for time', { retryAfterMilliseconds: end.delayMs });
    case 'refused':
      return judgeRefusal(end);
  }
}

function judgeRefusal({ status, code, description, retryAfterMs }: Refusal): SendOutcome {
  const number = code === null || code === 0 ? '' : ` (${code})`;
  const reason = `Discord refuses it: ${description}${number}`;
  if (status === 429 || status === 401) return retryLater(reason, { retryAfterMilliseconds: retryAfterMs });
  // Between Discord's own servers an answer may be lost.
  if (status >= 500) return retryLater(reason, { inDoubt: true });
  // The bot was removed or has no right, the person takes no private messages, or the message itself is wrong.
  return refusedForGood(reason);
}
