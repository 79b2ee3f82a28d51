import type { ServerResponse } from 'node:http';
import { type UnreadOptions, untilTaken } from './answer-writer.js';

/** A comment after so long without an event, in milliseconds, so that proxies and clients see that it lives. */
const usualHeartbeatMs = 15_000;
/** The wait that clients are told to make before they connect again, in milliseconds. */
export const reconnectAfterMs = 1_000;

export interface EventResponseOptions extends UnreadOptions {
  /** Milliseconds without an event before a comment is sent. Default: 15 s. */
  readonly heartbeat?: number | undefined;
}

/** An answer that is a stream of events (text/event-stream, HTML Standard, 9.2). */
export class EventResponse {
  readonly #response: ServerResponse;
  readonly #options: EventResponseOptions;
  #ended = false;
  #wake: () => void = () => undefined;
  #woken = false;
  #heardAt = performance.now();
  readonly #rouse = () => this.rouse();

  constructor(response: ServerResponse, options: EventResponseOptions) {
    this.#response = response;
    this.#options = options;
  }

  begin(): void {
    this.#response.once('close', this.#rouse);
    this.#response.socket?.once('end', this.#rouse);
    this.#response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      // nginx holds back what it thinks is one answer.
      'X-Accel-Buffering': 'no',
    });
  }

  /** The gateway stops. */
  stop(): void {
    this.#ended = true;
    this.rouse();
  }

  /** @param comment for clients that look at the stream itself */
  end(comment: string): void {
    if (this.#response.closed) return;
    this.#response.end(this.#ended ? `: ${comment}\n\n` : undefined);
  }

  /** To be called at the end, whatever it was. */
  dispose(): void {
    this.#response.off('close', this.#rouse);
    this.#response.socket?.off('end', this.#rouse);
  }

  /** False once the client has gone, or the gateway stops. */
  get goesOn(): boolean {
    const { closed, destroyed, socket } = this.#response;
    return !this.#ended && !closed && !destroyed && !socket?.readableEnded;
  }

  /** False if the client is to be waited for. */
  get takesMore(): boolean {
    return !this.#response.writableNeedDrain;
  }

  /** Gives false if the client is to be waited for before the next event. */
  write(text: string): boolean {
    this.#heardAt = performance.now();
    return this.#response.closed || this.#response.destroyed || this.#response.write(text);
  }

  /** Waits for a client that has not taken what it was sent. */
  drained(): Promise<void> {
    return untilTaken(this.#response, this.#options);
  }

  /** Ends the sleep, or the next one. */
  rouse(): void {
    this.#woken = true;
    this.#wake();
  }

  /** A rouse from now on ends the next sleep. */
  listen(): void {
    this.#woken = false;
  }

  /** Until it is roused, or the time is over. Sends a comment where nothing else was sent. */
  sleep(longestMs: number): Promise<void> {
    const heartbeat = this.#options.heartbeat ?? usualHeartbeatMs;
    if (performance.now() - this.#heardAt >= heartbeat) this.write(':\n\n');
    if (this.#woken || !this.goesOn) return Promise.resolve();
    const untilBeat = Math.max(1, heartbeat - (performance.now() - this.#heardAt));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(longestMs, untilBeat));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
