import { systemClock } from '../../lifecycle/effects/clock.js';
import { reachAdvice } from '../reach-advice.js';
import { tokenForms } from '../token-forms.js';
import { BotApi } from './bot-api.js';
import { troubleOf } from './trouble.js';
import { botSchema } from './update-schema.js';

/** Longest wait for Telegram's answer, in milliseconds. */
const timeoutMs = 10_000;

/** The bot, or the reason why nobody knows it. Neither holds the token. */
export type BotTrial =
  | { readonly kind: 'ok'; readonly username: string }
  | { readonly kind: 'problem'; readonly reason: string };

/** Asks Telegram who the bot is. It takes no message from it. */
export async function tryBot(
  apiRoot: string,
  token: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<BotTrial> {
  const problem = (reason: string): BotTrial => ({ kind: 'problem', reason });
  // Anything else would make another URL of it.
  if (!tokenForms.telegram.test(token)) {
    return problem('this is no token of a bot: @BotFather gives one such as 123456789:AAF-…');
  }
  const api = new BotApi(apiRoot, token, systemClock);
  try {
    const end = await api.call('getMe', {}, { timeoutMs, signal });
    if (end.kind === 'refused' && (end.code === 401 || end.code === 404)) {
      return problem(
        `${apiRoot} does not know this token (${end.code}): the present one is at @BotFather (/mybots, "API Token")`,
      );
    }
    if (end.kind !== 'ok') {
      const { reason } = troubleOf(end, { name: 'telegram', tokenPlace: 'its file' });
      return problem(
        `${reason}${end.kind === 'failed' ? reachAdvice(end.reason, apiRoot, environment) : ''}`,
      );
    }
    const bot = botSchema.safeParse(end.result);
    if (!bot.success) return problem(`${apiRoot} does not say who the bot is: it may be no Bot API`);
    return { kind: 'ok', username: bot.data.username };
  } finally {
    await api.close();
  }
}
