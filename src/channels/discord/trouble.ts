import { type ChannelTrouble, passing, type TroubleWords } from '../trouble.js';
import type { DiscordEnd } from './discord-api.js';

/** Says what keeps the channel from hearing its bot, and what to do: pure functions. */

export type DiscordTrouble = ChannelTrouble<'token' | 'intents' | 'setup' | 'starts'>;

/** A start with a mistake in the bot's settings counts among the 1,000 of a day, behind which Discord takes the token away. */
const settingsRetryMs = 900_000;

const portal = "the bot's page at https://discord.com/developers/applications";

/** Judges a call that has failed. */
export function troubleOfCall(
  end: Exclude<DiscordEnd, { readonly kind: 'ok' }>,
  { name, tokenPlace }: TroubleWords,
): DiscordTrouble {
  switch (end.kind) {
    case 'aborted':
      return passing('the call was cut off');
    case 'failed':
      return passing(`Discord was not reached: ${end.reason}`);
    case 'held':
      return { kind: 'limit', reason: 'Discord has asked for time', retryAfterMs: end.delayMs };
    case 'refused': {
      const told = `${end.status}: ${end.description}`;
      if (end.status === 401) {
        return {
          kind: 'token',
          reason: `Discord does not know the bot's token (${told}): put the present one, which ${portal} gives ("Reset Token"), into ${tokenPlace}; it is read again at each try. If channels.${name}.api_root is set, look at that too`,
          retryAfterMs: null,
        };
      }
      if (end.status === 429) {
        return { kind: 'limit', reason: `Discord asks for time (${told})`, retryAfterMs: end.retryAfterMs };
      }
      return passing(`Discord answered ${told}`);
    }
  }
}

/** No session is begun with fewer starts left: a person may need some. */
const keptStarts = 5;

/** Judges the starts that Discord has left for the bot; null: there are enough. */
export function troubleOfStarts({
  remaining,
  resetAfterMs,
}: {
  readonly remaining: number;
  readonly resetAfterMs: number;
}): DiscordTrouble | null {
  if (remaining > keptStarts) return null;
  return {
    kind: 'starts',
    reason: `the bot has begun too many sessions, and Discord allows ${remaining} more until ${Math.ceil(resetAfterMs / 60_000)} min have passed: look if another program runs with the same token`,
    retryAfterMs: Math.min(resetAfterMs, 3_600_000),
  };
}

/** The next step after a connection to the gateway has ended. */
export type AfterEnd =
  /** Connect, and go on where the session was. */
  | { readonly next: 'resume'; readonly trouble: DiscordTrouble }
  /** Connect, and begin a session. */
  | { readonly next: 'identify'; readonly trouble: DiscordTrouble };

/** Judges the end of a connection (discord.com/developers/docs/topics/opcodes-and-status-codes, "Gateway Close Event Codes"). */
export function afterClose(
  { code, reason }: { readonly code: number; readonly reason: string },
  { tokenPlace, name }: TroubleWords,
): AfterEnd {
  const told = reason === '' ? `${code}` : `${code}: ${reason}`;
  const setup = (text: string): AfterEnd => ({
    next: 'identify',
    trouble: { kind: 'setup', reason: text, retryAfterMs: settingsRetryMs },
  });
  switch (code) {
    case 4004:
      return {
        next: 'identify',
        trouble: {
          kind: 'token',
          reason: `Discord does not take the bot's token (${told}): put the present one into ${tokenPlace}`,
          retryAfterMs: 60_000,
        },
      };
    case 4003:
    case 4007:
    case 4009:
      return { next: 'identify', trouble: passing(`Discord has ended the session (${told})`) };
    case 4010:
    case 4011:
      return setup(
        `the bot is in too many servers for one session (${told}): use a bot of its own for this gateway`,
      );
    case 4012:
      return setup(`Discord no longer knows version 10 of its API (${told}): install a newer gateway`);
    case 4013:
    case 4014:
      return {
        next: 'identify',
        trouble: {
          kind: 'intents',
          reason: `Discord does not allow the bot to read messages that do not mention it (${told}): switch "Message Content Intent" on at ${portal}, or set channels.${name}.message_content = false and groups to something else than "all"; then reload`,
          retryAfterMs: settingsRetryMs,
        },
      };
    default:
      return { next: 'resume', trouble: passing(`the connection to Discord has ended (${told})`) };
  }
}
