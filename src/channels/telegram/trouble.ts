import { type ChannelTrouble, passing, type TroubleWords } from '../trouble.js';
import type { ApiEnd } from './bot-api.js';

/** Says what keeps the channel from hearing its bot, and what to do: pure functions. */

export type TelegramTrouble = ChannelTrouble<'token' | 'conflict' | 'webhook' | 'unreachable'>;

/** Judges a call that has failed. */
export function troubleOf(
  end: Exclude<ApiEnd, { readonly kind: 'ok' }>,
  { name, tokenPlace }: TroubleWords,
): TelegramTrouble {
  if (end.kind === 'aborted') return passing('the call was cut off');
  if (end.kind === 'failed') return passing(`Telegram was not reached: ${end.reason}`);
  const { code, description, retryAfterMs } = end;
  const told = description.replace(/\.?$/, '');
  switch (code) {
    case 401:
    case 404:
      return {
        kind: 'token',
        reason: `Telegram does not know the bot's token (${code}: ${told}): put the present one, which @BotFather gives, into ${tokenPlace}; it is read again at each try. If channels.${name}.api_root is set, look at that too`,
        retryAfterMs,
      };
    case 409:
      return description.includes('webhook')
        ? {
            kind: 'webhook',
            reason: `the bot has a webhook, so Telegram gives its messages to that: end what uses it, and remove it (deleteWebhook; docs/channels/telegram.md says how), or make a bot of its own for this gateway`,
            retryAfterMs,
          }
        : {
            kind: 'conflict',
            reason: `something else polls the same bot (${told}): stop it, or make a bot of its own for this gateway. If nobody knows what it is, have @BotFather revoke the token`,
            retryAfterMs,
          };
    case 429:
      return { kind: 'limit', reason: `Telegram asks for time (${told})`, retryAfterMs };
    default:
      return { ...passing(`Telegram answered ${code}: ${told}`), retryAfterMs };
  }
}
