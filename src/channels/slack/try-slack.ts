import { z } from 'zod';
import { systemClock } from '../../lifecycle/effects/clock.js';
import { reachAdvice } from '../reach-advice.js';
import { tokenForms } from '../token-forms.js';
import { SlackApi, type SlackEnd, type SlackTokens } from './slack-api.js';
import { missingScopes, type SlackPlaces, troubleOf } from './trouble.js';

/** Longest wait for one answer, in milliseconds. */
const timeoutMs = 10_000;

/** The bot, or the reason why nobody knows it. Neither holds a token. */
export type SlackTrial =
  | {
      readonly kind: 'ok';
      readonly user: string;
      readonly team: string;
      /** Scopes that the bot lacks, each with what is missing without it; null: none. */
      readonly missing: string | null;
    }
  | {
      readonly kind: 'problem';
      readonly reason: string;
      /** The token that it is about. */
      readonly token: 'bot' | 'app';
    };

const identitySchema = z.object({ user: z.string(), team: z.string() });

const places: Readonly<Record<'bot' | 'app', SlackPlaces>> = {
  bot: { tokenPlace: 'its file', prefix: 'xoxb-' },
  app: { tokenPlace: 'the file of the app', prefix: 'xapp-' },
};

/** Asks Slack who the bot is, what it may do and, if there is a token of the app, for a connection, which it does not make. */
export async function trySlack(
  apiRoot: string,
  tokens: SlackTokens,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<SlackTrial> {
  const problem = (token: 'bot' | 'app', reason: string): SlackTrial => ({ kind: 'problem', token, reason });
  if (!tokenForms.slackBot.test(tokens.bot)) {
    return problem('bot', 'this is no token of a bot: "Install App" gives one that begins with "xoxb-"');
  }
  if (tokens.app !== null && !tokenForms.slackApp.test(tokens.app)) {
    return problem(
      'app',
      'this is no token of an app: "Basic Information", "App-Level Tokens" makes one that begins with "xapp-"',
    );
  }
  const failed = (token: 'bot' | 'app', end: Exclude<SlackEnd, { readonly kind: 'ok' }>) =>
    problem(
      token,
      `${troubleOf(end, places[token]).reason}${end.kind === 'failed' ? reachAdvice(end.reason, apiRoot, environment) : ''}`,
    );
  const api = new SlackApi(apiRoot, tokens, systemClock);
  try {
    const end = await api.call('auth.test', {}, { timeoutMs, signal });
    if (end.kind !== 'ok') return failed('bot', end);
    const identity = identitySchema.safeParse(end.result);
    if (!identity.success) {
      return problem('bot', `${apiRoot} does not say who the bot is: it may be no Web API`);
    }
    if (tokens.app !== null) {
      const opened = await api.callAsApp('apps.connections.open', { timeoutMs, signal });
      if (opened.kind !== 'ok') return failed('app', opened);
    }
    const { user, team } = identity.data;
    return { kind: 'ok', user, team, missing: missingScopes(end.scopes) };
  } finally {
    await api.close();
  }
}
