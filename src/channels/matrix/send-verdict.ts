import type { SendOutcome } from '../reply-sender.js';
import { refusedForGood, retryLater } from '../send-failures.js';
import type { MatrixFailure, MatrixRefusal } from './matrix-api.js';

/** Decides what the end of a send means: pure functions. */

/** Refusals that pass by themselves, or once somebody does something about the account. */
const passingCodes: ReadonlySet<string> = new Set([
  'M_LIMIT_EXCEEDED',
  'M_UNKNOWN_TOKEN',
  'M_MISSING_TOKEN',
  'M_USER_LOCKED',
  'M_USER_SUSPENDED',
  'M_CONSENT_NOT_GIVEN',
  'M_RESOURCE_LIMIT_EXCEEDED',
  // A proxy may lead somewhere else for a while.
  'M_UNRECOGNIZED',
]);

/** The outcome of a send that has failed. */
export function judgeSend(end: MatrixFailure): SendOutcome {
  switch (end.kind) {
    case 'aborted':
      return { kind: 'aborted', inDoubt: end.inDoubt };
    case 'failed':
      return retryLater(`the homeserver was not reached: ${end.reason}`, { inDoubt: end.inDoubt });
    case 'refused':
      return judgeRefusal(end);
  }
}

/** True if the media repository takes no file of that size. */
export function isTooLarge({ status, code }: MatrixRefusal): boolean {
  return status === 413 || code === 'M_TOO_LARGE';
}

function judgeRefusal({ status, code, description, retryAfterMs }: MatrixRefusal): SendOutcome {
  const reason = `the homeserver refuses it: ${description} (${code})`;
  // Between a proxy and the homeserver an answer may be lost.
  if (status >= 500) return retryLater(reason, { inDoubt: true });
  if (status === 429 || status === 401 || passingCodes.has(code)) {
    return retryLater(reason, { retryAfterMilliseconds: retryAfterMs });
  }
  // The account is not in the room, or may not write there, or the message itself is wrong.
  return refusedForGood(reason);
}
