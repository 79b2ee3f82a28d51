import { type ChannelTrouble, passing } from '../trouble.js';
import type { SlackEnd } from './slack-api.js';

/** Says what keeps the channel from hearing its app, and what to do: pure functions. */

export type SlackTrouble = ChannelTrouble<'token' | 'settings'>;

/** Names of the operator's settings. */
export interface SlackPlaces {
  /** The place of the token that was used, such as a file. */
  readonly tokenPlace: string;
  /** The beginning of such a token: "xoxb-" or "xapp-". */
  readonly prefix: string;
}

/** Errors about the token itself (docs.slack.dev/reference/methods/auth.test). */
const tokenErrors: ReadonlySet<string> = new Set([
  'account_inactive',
  'invalid_auth',
  'not_allowed_token_type',
  'not_authed',
  'token_expired',
  'token_revoked',
]);

/** Judges a call that has failed. */
export function troubleOf(
  end: Exclude<SlackEnd, { readonly kind: 'ok' }>,
  { tokenPlace, prefix }: SlackPlaces,
): SlackTrouble {
  if (end.kind === 'aborted') return passing('the call was cut off');
  if (end.kind === 'failed') return passing(`Slack was not reached: ${end.reason}`);
  const { error, needed, retryAfterMs } = end;
  if (error === 'ratelimited') return { kind: 'limit', reason: 'Slack asks for time', retryAfterMs };
  if (error === 'missing_scope') {
    const reason = `the token in ${tokenPlace} lacks the scope ${needed ?? ''}: add it to the app (api.slack.com/apps), and install the app again`;
    return { kind: 'settings', reason, retryAfterMs };
  }
  if (tokenErrors.has(error)) {
    const reason = `Slack does not take the token in ${tokenPlace} (${error}): put the present one, which begins with "${prefix}", there; it is read again at each try`;
    return { kind: 'token', reason, retryAfterMs };
  }
  return { ...passing(`Slack answered ${error}`), retryAfterMs };
}

/** Slack ends a connection of Socket Mode, and says why. */
export function endedBySlack(reason: string): SlackTrouble {
  if (reason === 'link_disabled') {
    const what =
      'Socket Mode is turned off for the app: turn it on (api.slack.com/apps, "Socket Mode"), or set mode = "events"';
    return { kind: 'settings', reason: what, retryAfterMs: null };
  }
  if (reason === 'too_many_websockets') {
    const what =
      'the app has as many connections as Slack allows: something else uses the same app. Stop it, or make an app of its own for this gateway';
    return { kind: 'settings', reason: what, retryAfterMs: null };
  }
  return passing(`Slack ended the connection (${reason})`);
}

/** Scopes of the bot, and what is missing without each. */
const wantedScopes: readonly (readonly [scope: string, without: string])[] = [
  ['chat:write', 'no reply can be sent'],
  ['im:history', 'no direct message arrives'],
  ['channels:history', 'no message of a public channel arrives'],
  ['groups:history', 'no message of a private channel arrives'],
  ['mpim:history', 'no message of several people arrives'],
  ['channels:read', 'nothing is looked for that was missed'],
  ['groups:read', 'nothing is looked for that was missed'],
  ['im:read', 'nothing is looked for that was missed'],
  ['mpim:read', 'nothing is looked for that was missed'],
  ['users:read', 'people have no names'],
  ['files:read', 'files of people are missing'],
  ['files:write', 'no file can be sent'],
];

/** The scopes that the token lacks, with what each is for; null: none. */
export function missingScopes(scopes: readonly string[] | null): string | null {
  if (scopes === null) return null;
  const missing = wantedScopes.filter(([scope]) => !scopes.includes(scope));
  return missing.length === 0 ? null : missing.map(([scope, without]) => `${scope} (${without})`).join(', ');
}
