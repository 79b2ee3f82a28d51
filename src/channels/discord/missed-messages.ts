import { z } from 'zod';
import { boundedList } from '../bounded-list.js';
import type { Complaints } from '../complaints.js';
import type { DiscordApi, DiscordEnd } from './discord-api.js';
import { snowflake } from './message-schema.js';
import { isLater } from './snowflake.js';

/** Reading back is bounded: so many messages of a channel, in pages that Discord allows. */
const pageSize = 100;
const mostPages = 5;
const callTimeoutMs = 20_000;
const longestWaitMs = 60_000;
/** One page is asked for again so often. */
const mostTries = 3;

const page = boundedList(z.looseObject({ id: snowflake }));

/** They could not be read back now. */
export class MissedMessagesError extends Error {
  constructor(readonly end: Exclude<DiscordEnd, { readonly kind: 'ok' }>) {
    super('messages that were missed could not be read back');
    this.name = 'MissedMessagesError';
  }
}

export interface MissedDiscordMessagesOptions {
  readonly api: DiscordApi;
  readonly complaints: Complaints;
  readonly signal: AbortSignal;
}

/** Reads back messages that came while there was no session (`GET /channels/ID/messages`). */
export class MissedDiscordMessages {
  readonly #options: MissedDiscordMessagesOptions;

  constructor(options: MissedDiscordMessagesOptions) {
    this.#options = options;
  }

  /**
   * Gives the messages of a channel behind that id, the oldest first. None if the bot may not read it.
   *
   * @throws MissedMessagesError
   */
  async *of(channelId: string, after: string): AsyncGenerator<readonly object[]> {
    let last = after;
    for (let count = 0; count < mostPages; count += 1) {
      const messages = await this.#page(channelId, last);
      if (messages.length === 0) return;
      yield messages;
      last = messages.at(-1)?.id ?? last;
      if (messages.length < pageSize) return;
    }
    this.#options.complaints.note(
      'missed',
      `Some messages of the channel ${channelId} of Discord may be left out: more than ${pageSize * mostPages} came while the gateway had no session.`,
    );
  }

  async #page(channelId: string, after: string) {
    const { api, signal } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const end = await api.call(
        {
          method: 'GET',
          name: 'GET messages',
          channelId,
          path: `/channels/${channelId}/messages?after=${after}&limit=${pageSize}`,
        },
        { timeoutMs: callTimeoutMs, signal, longestWaitMs },
      );
      if (end.kind === 'ok') {
        const found = page.safeParse(end.result);
        if (found.success) return found.data.toSorted((a, b) => (isLater(a.id, b.id) ? 1 : -1));
        throw new MissedMessagesError({ kind: 'failed', reason: 'the messages are none', inDoubt: false });
      }
      // The bot may not see the channel, or its history, or it is gone.
      if (end.kind === 'refused' && (end.status === 403 || end.status === 404)) return [];
      const isPassing = end.kind === 'failed' || (end.kind === 'refused' && end.status >= 429);
      if (signal.aborted || !isPassing || tries === mostTries) throw new MissedMessagesError(end);
    }
  }
}
