import type { SendOutcome } from '../reply-sender.js';
import { refusedForGood, retryLater } from '../send-failures.js';
import type { SlackEnd, SlackRefusal } from './slack-api.js';

/** Decides what the end of a send means: pure functions. */

/** Errors that pass, or that an operator can mend without a change of the reply. */
const passingErrors: ReadonlySet<string> = new Set([
  'access_denied',
  'account_inactive',
  'accesslimited',
  'ekm_access_denied',
  'fatal_error',
  'internal_error',
  'invalid_auth',
  'missing_scope',
  'not_allowed_token_type',
  'not_authed',
  'rate_limited',
  'ratelimited',
  'request_timeout',
  'service_unavailable',
  'team_added_to_org',
  'team_access_not_granted',
  'token_expired',
  'token_revoked',
]);

/** Slack has begun with it, and does not know how far it came. */
const doubtfulErrors: ReadonlySet<string> = new Set(['fatal_error', 'internal_error', 'request_timeout']);

/** Errors of an edit after which a new message may take the place of the preview. */
const lostPreview: ReadonlySet<string> = new Set([
  'cant_update_message',
  'edit_window_closed',
  'message_not_found',
  'msg_too_long',
]);

export function isPreviewLost({ error }: SlackRefusal): boolean {
  return lostPreview.has(error);
}

/** The outcome of a send that has not gone well. `isRepeatable`: it has no second effect if it is made again. */
export function judgeFailure(
  end: Exclude<SlackEnd, { readonly kind: 'ok' }>,
  isRepeatable: boolean,
): SendOutcome {
  switch (end.kind) {
    case 'aborted':
      return { kind: 'aborted', inDoubt: end.inDoubt && !isRepeatable };
    case 'failed':
      return retryLater(`Slack was not reached: ${end.reason}`, { inDoubt: end.inDoubt && !isRepeatable });
    case 'refused': {
      const { error, needed, retryAfterMs } = end;
      const reason = `Slack refuses it: ${error}${needed === null ? '' : ` (${needed})`}`;
      if (!passingErrors.has(error)) return refusedForGood(reason);
      const inDoubt = doubtfulErrors.has(error) && !isRepeatable;
      return retryLater(reason, { retryAfterMilliseconds: retryAfterMs, inDoubt });
    }
  }
}
