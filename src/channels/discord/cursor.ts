import { z } from 'zod';
import type { ChannelCheckpoint } from '../channel.js';
import { snowflake } from './message-schema.js';

/** The place up to which all is on disk: pure functions. */

const cursorSchema = z.object({
  /** Null: there is no session that could be gone on with. */
  session: z
    .object({ id: z.string().min(1), url: z.string().min(1), seq: z.int().min(0) })
    .nullable()
    .catch(null),
  /** The newest message that was heard of; null: there was none yet. */
  seen: snowflake.nullable().catch(null),
});

export type Cursor = z.output<typeof cursorSchema>;

export const noCursor: Cursor = { session: null, seen: null };

/** Each bot has sessions of its own. */
export function cursorKey(botId: string): string {
  return `gateway:${botId}`;
}

export function readCursor(stored: unknown): Cursor {
  return cursorSchema.safeParse(stored).data ?? noCursor;
}

export function checkpointOf(botId: string, { session, seen }: Cursor): ChannelCheckpoint {
  const kept = session === null ? null : { id: session.id, url: session.url, seq: session.seq };
  return { key: cursorKey(botId), value: { session: kept, seen } };
}

/**
 * The URL of a connection. Null: the bot's token must not go there.
 *
 * @param given as the API or the session names it
 * @param root the API's
 */
export function gatewayUrl(given: string, root: string): string | null {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    return null;
  }
  const api = new URL(root);
  const isOwn = api.hostname !== 'discord.com';
  const isKnown = isOwn ? url.hostname === api.hostname : /(?:^|\.)discord\.gg$/.test(url.hostname);
  const isSecret = url.protocol === 'wss:' || (url.protocol === 'ws:' && api.protocol === 'http:');
  if (!isKnown || !isSecret || url.username !== '') return null;
  url.search = '?v=10&encoding=json';
  return url.href;
}
