import { z } from 'zod';
import { systemClock } from '../../lifecycle/effects/clock.js';
import { reachAdvice } from '../reach-advice.js';
import { tokenForms } from '../token-forms.js';
import { DiscordApi } from './discord-api.js';
import { troubleOfCall } from './trouble.js';

/** Longest wait for one answer, in milliseconds. */
const timeoutMs = 10_000;

/** The bot, or the reason why nobody knows it. Neither holds the token. */
export type DiscordTrial =
  | {
      readonly kind: 'ok';
      readonly username: string;
      /** True: it may read messages of servers that do not mention it. Null: Discord does not say. */
      readonly mayReadAll: boolean | null;
    }
  | { readonly kind: 'problem'; readonly reason: string };

const botSchema = z.object({ username: z.string() });
const applicationSchema = z.object({ flags: z.int() });

/**
 * Flags of an application that may have "Message Content Intent" (discord.com/developers/docs/resources/application,
 * "Application Flags"): one for bots of many servers, one for the others.
 */
const messageContentFlags = (1 << 18) | (1 << 19);

/** Asks Discord who the bot is, and what it may read. It begins no session. */
export async function tryDiscord(
  apiRoot: string,
  token: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<DiscordTrial> {
  const problem = (reason: string): DiscordTrial => ({ kind: 'problem', reason });
  if (!tokenForms.discord.test(token)) {
    return problem(
      'this is no token of a bot: its page at https://discord.com/developers/applications gives one ("Reset Token") with two dots in it',
    );
  }
  const api = new DiscordApi(apiRoot, token, systemClock);
  const ask = (name: string, path: string) =>
    api.call({ method: 'GET', name, channelId: '', path }, { timeoutMs, signal });
  try {
    const end = await ask('GET user', '/users/@me');
    if (end.kind !== 'ok') {
      const { reason } = troubleOfCall(end, { name: 'discord', tokenPlace: 'its file' });
      return problem(
        `${reason}${end.kind === 'failed' ? reachAdvice(end.reason, apiRoot, environment) : ''}`,
      );
    }
    const bot = botSchema.safeParse(end.result);
    if (!bot.success) return problem(`${apiRoot} does not say who the bot is: it may be no API of Discord`);
    const about = await ask('GET application', '/applications/@me');
    const application = applicationSchema.safeParse(about.kind === 'ok' ? about.result : undefined);
    const mayReadAll = application.success ? (application.data.flags & messageContentFlags) !== 0 : null;
    return { kind: 'ok', username: bot.data.username, mayReadAll };
  } finally {
    await api.close();
  }
}
