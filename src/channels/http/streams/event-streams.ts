import type { ServerResponse } from 'node:http';
import type { Log } from '../../../log/log.js';
import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import { errorMessage } from '../../../text/failure-text.js';
import type { MessageProgress, SessionChanges } from '../../surroundings.js';
import { messageView, questionView } from '../views.js';
import { eventIdOf } from './event-id.js';
import { EventResponse, type EventResponseOptions, reconnectAfterMs } from './event-response.js';
import { eventText } from './event-text.js';
import { LiveText } from './live-text.js';
import { MessageStream } from './message-stream.js';

export interface EventStreamsOptions extends EventResponseOptions {
  readonly store: Pick<Store, 'settledMessages' | 'deltas' | 'message'>;
  readonly changes: SessionChanges;
  readonly log: Pick<Log, 'err'>;
}

/** A follower that comes from before a restore: the last message that it has seen is another one now, or none. */
export interface FollowerAstray {
  readonly askedAfter: number;
  readonly lastSeq: number;
}

/** Where a stream of a session begins. */
export interface StreamBegin {
  /** The message behind which it begins; null: there is none, or none any more. */
  readonly begin: Pick<Message, 'seq' | 'id'> | null;
  readonly astray: FollowerAstray | null;
}

/** Messages of one look into the store. */
const pageSize = 100;
/** Another gateway may run the session: the store is read again after so long, in milliseconds. */
const longestPauseMs = 10_000;
/** The same while a turn runs whose text may come from another gateway. Doubled each time that nothing has come. */
const firstPauseMs = 500;

/** A stream that is served. */
interface ServedStream {
  run(): Promise<void>;
  stop(): void;
}

/**
 * Streams of sessions and messages (text/event-stream, HTML Standard, 9.2). What is sent is read from the store when the
 * client has room for it, but for the text that is written just now. So a slow client holds no more than a few events here.
 */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #open = new Set<ServedStream>();
  #ended = false;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Sends what comes behind the message `after` until the client goes or the gateway stops. */
  serve(
    session: string,
    after: number,
    response: ServerResponse,
    begin: StreamBegin = { begin: null, astray: null },
  ): Promise<void> {
    return this.#serve(new SessionStream(session, after, response, this.#options, begin), response);
  }

  /** Sends the text of one message as it is written, and the message at its end. */
  serveMessage(
    message: { readonly id: string; readonly session: string },
    response: ServerResponse,
  ): Promise<void> {
    return this.#serve(new MessageStream(message, response, this.#options), response);
  }

  async #serve(stream: ServedStream, response: ServerResponse): Promise<void> {
    this.#open.add(stream);
    if (this.#ended) stream.stop();
    try {
      await stream.run();
    } catch (error) {
      // The client connects again, with the last event that it has seen, and so on until the store can be read.
      const reason = errorMessage(error);
      this.#options.log.err(`An event stream was broken off: ${reason}`);
      response.destroy();
    } finally {
      this.#open.delete(stream);
    }
  }

  /** Ends all of them, with an invitation to connect again: the gateway stops. */
  end(): void {
    this.#ended = true;
    for (const stream of this.#open) stream.stop();
  }
}

/**
 * A session's messages as they come to their end, and before that their text. The id of an event is the message's seq and
 * its mark: with the last one that a client has seen it misses nothing, whatever happened in between.
 */
class SessionStream implements ServedStream {
  readonly #session: string;
  readonly #options: EventStreamsOptions;
  readonly #begin: StreamBegin;
  readonly #response: EventResponse;
  #after: number;
  /** The text of the message whose turn runs. */
  #text: LiveText | null = null;
  #pauseMs = firstPauseMs;
  /** The message whose end the next read, or the one under way, is expected to find. */
  #ending: { readonly messageId: string; isStored: boolean } | null = null;

  constructor(
    session: string,
    after: number,
    response: ServerResponse,
    options: EventStreamsOptions,
    begin: StreamBegin,
  ) {
    this.#begin = begin;
    this.#session = session;
    this.#after = after;
    this.#response = new EventResponse(response, options);
    this.#options = options;
  }

  stop(): void {
    this.#response.stop();
  }

  async run(): Promise<void> {
    const { changes } = this.#options;
    const response = this.#response;
    // Before the first look, so that no change falls in between.
    const unsubscribe = changes.subscribeSession(this.#session, ({ messageId, state, progress }) => {
      if (progress !== undefined) {
        this.#onProgress(messageId, progress);
        return;
      }
      if (state !== 'running' && state !== 'queued') {
        if (this.#ending?.messageId === messageId) this.#ending.isStored = true;
        else response.rouse();
        return;
      }
      // A hint without an id: whoever misses it, or is slow, sees the message at its end. The store has nothing to send yet.
      if (response.takesMore) {
        response.write(eventText('state', { id: messageId, state }));
      }
    });
    response.begin();
    response.write(this.#firstEvent());
    try {
      while (response.goesOn) {
        response.listen();
        const more = await this.#sendSettled();
        const text = this.#text;
        const position = text?.position ?? 0;
        const isBehind = response.goesOn && response.takesMore && (await text?.catchUp());
        if (text !== null && text.position > position) this.#pauseMs = firstPauseMs;
        await response.drained();
        if (!more && isBehind !== true) await response.sleep(this.#pause());
      }
      response.end('the gateway stops; connect again with Last-Event-ID');
    } finally {
      unsubscribe();
      response.dispose();
    }
  }

  /** With an id, so that a client which has seen no message yet goes on from here, and with data: else it is no event. */
  #firstEvent(): string {
    const { begin, astray } = this.#begin;
    const place = { session: this.#session, after: this.#after };
    const event =
      astray === null
        ? eventText('begin', place)
        : eventText('reset', { ...place, asked_after: astray.askedAfter, last_seq: astray.lastSeq });
    const id = begin === null ? this.#after : eventIdOf(begin);
    return `id: ${id}\nretry: ${reconnectAfterMs}\n${event}`;
  }

  #onProgress(messageId: string, progress: MessageProgress): void {
    // It runs here: its text comes by itself.
    this.#pauseMs = longestPauseMs;
    if (progress.type === 'ends') {
      this.#ending = { messageId, isStored: false };
      this.#response.rouse();
      return;
    }
    if (progress.type === 'status' || progress.type === 'question') {
      const event =
        progress.type === 'status'
          ? eventText('status', { id: messageId, text: progress.text })
          : eventText('question', { id: messageId, ...questionView(progress.question) });
      if (this.#response.takesMore) this.#response.write(event);
      return;
    }
    const text = this.#textOf(messageId, false);
    if (progress.type === 'delta') text.live(progress);
    if (text.isBehind) this.#response.rouse();
  }

  #textOf(messageId: string, hasBegun: boolean): LiveText {
    if (this.#text?.messageId !== messageId) {
      this.#text = new LiveText({
        messageId,
        hasBegun,
        read: (after, limit) => this.#options.store.deltas(messageId, after, limit),
        write: (event) => this.#response.write(event),
        takesMore: () => this.#response.goesOn && this.#response.takesMore,
      });
      this.#pauseMs = firstPauseMs;
    }
    return this.#text;
  }

  /** While a turn runs that is not known to run here, its text is looked for. */
  #pause(): number {
    if (this.#text === null || this.#pauseMs >= longestPauseMs) return longestPauseMs;
    this.#text.lookAgain();
    const pause = this.#pauseMs;
    this.#pauseMs *= 2;
    return pause;
  }

  /** As much as the client has room for; whether there may be more at once. */
  async #sendSettled(): Promise<boolean> {
    const { store } = this.#options;
    const { items, more, next } = await store.settledMessages(this.#session, this.#after, pageSize);
    for (const message of items) {
      if (!this.#response.goesOn) return false;
      if (this.#text?.messageId === message.id) this.#text = null;
      if (this.#ending?.messageId === message.id) this.#ending = null;
      const isTaken = this.#response.write(
        `id: ${eventIdOf(message)}\n${eventText('message', messageView(message))}`,
      );
      this.#after = message.seq;
      // The rest is read again, so that none of it is held for a client that does not read.
      if (!isTaken) return true;
    }
    if (next?.state === 'running') this.#textOf(next.id, true);
    // It was read too early. Whatever comes of it from now on is told.
    const hasMissed = this.#ending?.isStored === true;
    this.#ending = null;
    return more || hasMissed;
  }
}
