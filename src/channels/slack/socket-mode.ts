import { endsWithin } from '../../lifecycle/effects/waits.js';
import type { ChannelContext } from '../channel.js';
import { jsonOf } from '../platform-http.js';
import { passing } from '../trouble.js';
import { WebSocketLink } from '../web-socket.js';
import { callbackSchema, type EventObject, frameSchema } from './event-schema.js';
import { endedBySlack, type SlackTrouble } from './trouble.js';

/** Longest wait for a connection and for the word "hello" behind it, in milliseconds. */
const openTimeoutMs = 10_000;
/** Slack's events have texts of 40,000 characters at most, and blocks that repeat them. */
const longestMessageBytes = 4 * 1024 ** 2;
/** A connection that has been silent for so long is asked for a word, and has so long to give it. In milliseconds. */
const silenceMs = 15_000;
const answerMs = 10_000;
/** Events that came by a connection may still be acknowledged by it for so long, in milliseconds. */
const lastAcknowledgementsMs = 5_000;
/** Slack does not always answer the word of the end. */
const closeTimeoutMs = 1_000;

export interface SocketModeOptions {
  readonly clock: Pick<ChannelContext['clock'], 'now' | 'after'>;
  /** Resolves with true once the event is on disk or need not be. It never rejects. */
  readonly take: (event: EventObject) => Promise<boolean>;
  /** Tells of what can't be read; at most a part of it is repeated. */
  readonly complain: (kind: string, text: string) => void;
  /** An event has come. */
  readonly heard: () => void;
}

/**
 * One connection of Socket Mode (docs.slack.dev/apis/events-api/using-socket-mode). An event is acknowledged once it is on
 * disk; Slack sends it again otherwise.
 */
export class SocketConnection {
  readonly #options: SocketModeOptions;
  readonly #link: WebSocketLink;
  readonly #underWay = new Set<Promise<void>>();
  /** Resolves when the connection has to be replaced: at once, as it is gone, or soon. */
  readonly over: Promise<SlackTrouble | null>;
  #isOver: (trouble: SlackTrouble | null) => void = () => {};
  #sayHello = () => {};
  readonly #hello: Promise<void>;
  #cancelWatch = () => {};

  constructor(url: string, options: SocketModeOptions) {
    this.#options = options;
    this.#hello = new Promise((resolve) => {
      this.#sayHello = resolve;
    });
    this.over = new Promise((resolve) => {
      this.#isOver = resolve;
    });
    this.#link = new WebSocketLink(url, {
      clock: options.clock,
      openTimeoutMs,
      longestMessageBytes,
      onText: (text) => this.#hear(text),
    });
    void this.#link.ended.then(({ code, reason }) => {
      this.#cancelWatch();
      this.#isOver(passing(`the connection broke (${reason || code})`));
    });
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** Null: Slack has said hello, and sends events from now on. */
  async opened(): Promise<SlackTrouble | null> {
    const first = Promise.race([
      this.#hello.then(() => null),
      this.over.then((trouble) => trouble ?? passing('Slack ended the connection at once')),
    ]);
    if (!(await endsWithin(this.#options.clock, openTimeoutMs, first))) {
      this.#link.cut(`Slack has not said hello within ${openTimeoutMs / 1_000} s`);
      return passing(`Slack has not said hello within ${openTimeoutMs / 1_000} s`);
    }
    const trouble = await first;
    if (trouble === null) this.#watch();
    return trouble;
  }

  /** Ends it once the events that it has brought are on disk. Resolves when it is gone. */
  async close(timeoutMs = lastAcknowledgementsMs): Promise<void> {
    this.#cancelWatch();
    if (this.#underWay.size > 0) {
      await endsWithin(this.#options.clock, timeoutMs, Promise.all(this.#underWay));
    }
    await this.#link.close(1000, closeTimeoutMs);
  }

  #hear(text: string): void {
    const frame = frameSchema.safeParse(jsonOf(text));
    if (!frame.success) {
      this.#options.complain(
        'frame',
        `Slack sent something that is no message: ${JSON.stringify(text.slice(0, 100))}`,
      );
      return;
    }
    const { type, envelope_id: envelope, payload, reason = 'no reason' } = frame.data;
    if (type === 'hello') this.#sayHello();
    else if (type === 'disconnect') {
      // The connection stands for some seconds more: its events are taken meanwhile.
      const isPlanned = reason === 'warning' || reason === 'refresh_requested';
      this.#isOver(isPlanned ? null : endedBySlack(reason));
    } else if (envelope !== undefined) {
      this.#options.heard();
      const work = this.#take(type, envelope, payload).finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    }
  }

  async #take(type: string, envelope: string, payload: unknown): Promise<void> {
    const callback = callbackSchema.safeParse(type === 'events_api' ? payload : undefined);
    // Others, such as slash commands, were not asked for: nobody else will take them.
    const isTaken = !callback.success || (await this.#options.take(callback.data.event));
    if (isTaken) this.#link.send(JSON.stringify({ envelope_id: envelope }));
  }

  /** A connection may be dead without a word of it. */
  #watch(): void {
    const { clock } = this.#options;
    this.#cancelWatch = clock.after(silenceMs, () => {
      if (clock.now() - this.#link.heardAt < silenceMs) return this.#watch();
      this.#link.ping();
      this.#cancelWatch = clock.after(answerMs, () => {
        if (clock.now() - this.#link.heardAt >= silenceMs + answerMs) {
          this.#link.cut(`nothing was heard for ${(silenceMs + answerMs) / 1_000} s`);
        } else this.#watch();
      });
    });
  }
}
