import type { ServerResponse } from 'node:http';
import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import type { SessionChanges } from '../../surroundings.js';
import { messageView, questionView } from '../views.js';
import { EventResponse, type EventResponseOptions } from './event-response.js';
import { eventText } from './event-text.js';
import { LiveText } from './live-text.js';
import { isUnsettled } from './long-polls.js';

export interface MessageStreamOptions extends EventResponseOptions {
  readonly store: Pick<Store, 'deltas' | 'message'>;
  readonly changes: SessionChanges;
}

/**
 * Another gateway may run the session: the store is read again after so long, in milliseconds. The pause is doubled each
 * time that nothing has come.
 */
const firstPauseMs = 500;
const longestPauseMs = 10_000;

/** One message as its text is written, until its end. */
export class MessageStream {
  readonly #id: string;
  readonly #session: string;
  readonly #options: MessageStreamOptions;
  readonly #response: EventResponse;
  #text: LiveText;
  /** The last state that was sent. */
  #state: string | null = null;
  #pauseMs = firstPauseMs;

  constructor(
    { id, session }: { readonly id: string; readonly session: string },
    response: ServerResponse,
    options: MessageStreamOptions,
  ) {
    this.#id = id;
    this.#session = session;
    this.#options = options;
    this.#response = new EventResponse(response, options);
    this.#text = this.#textOf(id);
  }

  stop(): void {
    this.#response.stop();
  }

  async run(): Promise<void> {
    const response = this.#response;
    const unsubscribe = this.#options.changes.subscribeSession(this.#session, ({ messageId, progress }) => {
      if (progress === undefined) {
        response.rouse();
        return;
      }
      if (messageId !== this.#text.messageId) return;
      // It runs here: its text comes by itself.
      this.#pauseMs = longestPauseMs;
      if (progress.type === 'delta') this.#text.live(progress);
      else if (progress.type === 'status')
        this.#send(eventText('status', { id: messageId, text: progress.text }));
      else if (progress.type === 'question')
        this.#send(eventText('question', { id: messageId, ...questionView(progress.question) }));
      if (progress.type === 'ends' || this.#text.isBehind) response.rouse();
    });
    response.begin();
    try {
      while (response.goesOn) {
        response.listen();
        const message = await this.#options.store.message(this.#id);
        if (message === null || !isUnsettled(message)) {
          if (message !== null) response.write(eventText('message', messageView(message)));
          break;
        }
        this.#follow(message);
        const { position } = this.#text;
        const isBehind = response.takesMore && (await this.#text.catchUp());
        if (this.#text.position > position) this.#pauseMs = firstPauseMs;
        await response.drained();
        if (!isBehind) await response.sleep(this.#pause());
      }
      response.end('the gateway stops; ask again');
    } finally {
      unsubscribe();
      response.dispose();
    }
  }

  /** Says a state that has changed, and goes over to the message whose turn this one is part of now. */
  #follow({ id, state, collectedIn }: Message): void {
    if (state !== this.#state && this.#response.takesMore) {
      this.#state = state;
      this.#send(eventText('state', { id, state }));
    }
    const turn = collectedIn?.id ?? id;
    if (turn !== this.#text.messageId) this.#text = this.#textOf(turn);
  }

  #send(event: string): void {
    if (this.#response.takesMore) this.#response.write(event);
  }

  #textOf(messageId: string): LiveText {
    return new LiveText({
      messageId,
      hasBegun: true,
      read: (after, limit) => this.#options.store.deltas(messageId, after, limit),
      write: (event) => this.#response.write(event),
      takesMore: () => this.#response.goesOn && this.#response.takesMore,
    });
  }

  #pause(): number {
    if (this.#pauseMs >= longestPauseMs) return longestPauseMs;
    this.#text.lookAgain();
    const pause = this.#pauseMs;
    this.#pauseMs *= 2;
    return pause;
  }
}
