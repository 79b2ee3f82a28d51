import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Log } from '../../../log/log.js';
import type { Store } from '../../../store/store.js';
import { errorMessage } from '../../../text/failure-text.js';
import type { SessionChanges } from '../../surroundings.js';
import { messageView } from '../views.js';

export interface EventStreamsOptions {
  readonly store: Pick<Store, 'settledMessages'>;
  readonly changes: SessionChanges;
  readonly log: Pick<Log, 'err'>;
  /** Told of each answer that waits for its client. */
  readonly onUnread?: (response: ServerResponse) => void;
  /** A comment after so long without an event, in milliseconds, so that proxies and clients see that it lives. */
  readonly heartbeat?: number;
}

/** A follower that has seen more than there is, as after a restore: what it saw is another message now, or none. */
export interface FollowerAhead {
  readonly askedAfter: number;
  readonly lastSeq: number;
}

/** Messages of one look into the store. */
const pageSize = 100;
/** Another gateway may run the session: the store is read again after so long, in milliseconds. */
const longestPause = 10_000;
/** After so long without reading, in milliseconds, a client is gone; it can come back with what it has seen. */
const slowest = 60_000;
/** The wait that clients are told to make before they connect again, in milliseconds. */
const reconnectAfter = 1_000;

/**
 * Streams of a session's messages as they come to their end (text/event-stream, HTML Standard, 9.2). The id of an event
 * is the message's seq: with the last one that a client has seen it misses nothing, whatever happened in between. What
 * is sent is read from the store when the client has room for it, so that a slow one holds no more than an event here.
 */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #open = new Set<EventStream>();
  #ended = false;

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Sends what comes behind the message `after` until the client goes or the gateway stops. */
  async serve(
    session: string,
    after: number,
    response: ServerResponse,
    ahead: FollowerAhead | null = null,
  ): Promise<void> {
    const stream = new EventStream(session, after, response, this.#options, ahead);
    this.#open.add(stream);
    if (this.#ended) stream.end();
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
    for (const stream of this.#open) stream.end();
  }
}

class EventStream {
  readonly #session: string;
  readonly #response: ServerResponse;
  readonly #options: EventStreamsOptions;
  readonly #ahead: FollowerAhead | null;
  #after: number;
  #ended = false;
  #wake: () => void = () => undefined;
  #woken = false;
  #heardAt = performance.now();

  constructor(
    session: string,
    after: number,
    response: ServerResponse,
    options: EventStreamsOptions,
    ahead: FollowerAhead | null,
  ) {
    this.#ahead = ahead;
    this.#session = session;
    this.#after = after;
    this.#response = response;
    this.#options = options;
  }

  end(): void {
    this.#ended = true;
    this.#rouse();
  }

  async run(): Promise<void> {
    const { changes } = this.#options;
    // Before the first look, so that no change falls in between.
    const unsubscribe = changes.subscribeSession(this.#session, ({ messageId, state }) => {
      // A hint without an id: whoever misses it, or is slow, sees the message at its end.
      if ((state === 'running' || state === 'queued') && !this.#response.writableNeedDrain) {
        this.#write(`event: state\ndata: ${JSON.stringify({ id: messageId, state })}\n\n`);
      }
      this.#rouse();
    });
    const rouse = () => this.#rouse();
    const { socket } = this.#response;
    this.#response.once('close', rouse);
    socket?.once('end', rouse);
    this.#response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      // nginx holds back what it thinks is one answer.
      'X-Accel-Buffering': 'no',
    });
    this.#write(this.#firstEvent());
    try {
      while (this.#goesOn) {
        this.#woken = false;
        const more = await this.#sendSettled();
        if (this.#response.writableNeedDrain) await this.#drained();
        if (more) continue;
        this.#beat();
        await this.#sleep();
      }
      if (!this.#response.closed) {
        this.#response.end(
          this.#ended ? ': the gateway stops; connect again with Last-Event-ID\n\n' : undefined,
        );
      }
    } finally {
      unsubscribe();
      this.#response.off('close', rouse);
      socket?.off('end', rouse);
    }
  }

  /** With an id, so that a client which has seen no message yet goes on from here, and with data: else it is no event. */
  #firstEvent(): string {
    const begin = { session: this.#session, after: this.#after };
    const [event, data] =
      this.#ahead === null
        ? ['begin', begin]
        : ['reset', { ...begin, asked_after: this.#ahead.askedAfter, last_seq: this.#ahead.lastSeq }];
    return `id: ${this.#after}\nretry: ${reconnectAfter}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  get #goesOn(): boolean {
    const { closed, destroyed, socket } = this.#response;
    return !this.#ended && !closed && !destroyed && !socket?.readableEnded;
  }

  /** As much as the client has room for; whether there may be more at once. */
  async #sendSettled(): Promise<boolean> {
    const { store } = this.#options;
    const { items, more } = await store.settledMessages(this.#session, this.#after, pageSize);
    for (const message of items) {
      if (!this.#goesOn) return false;
      const isTaken = this.#write(
        `id: ${message.seq}\nevent: message\ndata: ${JSON.stringify(messageView(message))}\n\n`,
      );
      this.#after = message.seq;
      // The rest is read again, so that none of it is held for a client that does not read.
      if (!isTaken) return true;
    }
    return more;
  }

  async #drained(): Promise<void> {
    this.#options.onUnread?.(this.#response);
    // One for all: what did not come is not listened for any more.
    const over = new AbortController();
    const { signal } = over;
    const deadline = setTimeout(() => this.#response.destroy(), slowest);
    const come = (event: string) => once(this.#response, event, { signal });
    try {
      await Promise.race([come('drain'), come('close')]);
    } catch {
      // A broken connection: the client is gone.
      this.#response.destroy();
    } finally {
      clearTimeout(deadline);
      over.abort();
    }
  }

  #write(text: string): boolean {
    this.#heardAt = performance.now();
    return this.#response.closed || this.#response.destroyed || this.#response.write(text);
  }

  #beat(): void {
    if (performance.now() - this.#heardAt >= this.#heartbeat) this.#write(':\n\n');
  }

  get #heartbeat(): number {
    return this.#options.heartbeat ?? 15_000;
  }

  #rouse(): void {
    this.#woken = true;
    this.#wake();
  }

  #sleep(): Promise<void> {
    if (this.#woken || !this.#goesOn) return Promise.resolve();
    const untilBeat = Math.max(1, this.#heartbeat - (performance.now() - this.#heardAt));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(longestPause, untilBeat));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
