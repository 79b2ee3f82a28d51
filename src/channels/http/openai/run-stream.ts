import type { ServerResponse } from 'node:http';
import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import type { SessionChanges } from '../../surroundings.js';
import { EventResponse, type EventResponseOptions } from '../streams/event-response.js';
import { LiveText, type TextPiece } from '../streams/live-text.js';
import { type Outcome, outcomeOf } from './outcome.js';

/** Makes the events of a stream. Each function gives a text to be sent, which may be empty. */
export interface RunEvents {
  begin(message: Message): string;
  /** The turn has begun. */
  running(): string;
  /** An empty piece: the turn runs again, and what was sent is void. */
  piece(piece: TextPiece): string;
  /** `message`: as it is at its end. */
  end(outcome: Outcome, message: Message): string;
  /** The gateway stops, or the message is gone. */
  breakOff(reason: 'stop' | 'gone'): string;
  /** Nothing may follow. */
  readonly isOver: boolean;
  /** Only what the store has may be sent, so that a later stream can go on behind it whatever happens to this process. */
  readonly isResumable: boolean;
}

export interface RunStreamOptions extends EventResponseOptions {
  readonly store: Pick<Store, 'deltas' | 'message'>;
  readonly changes: SessionChanges;
}

/**
 * Another gateway may run the session: the store is read again after so long, in milliseconds. The pause is doubled each
 * time that nothing has come.
 */
const firstPauseMs = 500;
const longestPauseMs = 10_000;

/** One run as its text is written, until its end. */
export class RunStream {
  readonly #message: Message;
  readonly #options: RunStreamOptions;
  readonly #response: EventResponse;
  readonly #events: RunEvents;
  #text: LiveText;
  #isRunning = false;
  /** Text was sent. */
  #hasText = false;
  #isStopped = false;
  #pauseMs = firstPauseMs;

  constructor(message: Message, events: RunEvents, response: ServerResponse, options: RunStreamOptions) {
    this.#message = message;
    this.#options = options;
    this.#events = events;
    this.#response = new EventResponse(response, options);
    this.#text = this.#textOf(message.id);
  }

  stop(): void {
    this.#isStopped = true;
    this.#response.stop();
  }

  async run(): Promise<void> {
    const response = this.#response;
    const { session } = this.#message;
    const unsubscribe = this.#options.changes.subscribeSession(session, ({ messageId, progress }) => {
      if (progress === undefined) {
        response.rouse();
        return;
      }
      if (messageId !== this.#text.messageId) return;
      // It runs here: its text comes by itself.
      this.#pauseMs = longestPauseMs;
      if (progress.type === 'delta' && !this.#events.isResumable) this.#text.live(progress);
      if (progress.type === 'stored' && this.#events.isResumable) {
        this.#text.lookAgain();
        response.rouse();
      }
      if (progress.type === 'ends' || this.#text.isBehind || this.#events.isOver) response.rouse();
    });
    response.begin();
    this.#write(this.#events.begin(this.#message));
    try {
      await this.#follow();
      const isCutOff = this.#isStopped && !this.#events.isOver;
      if (isCutOff) this.#write(this.#events.breakOff('stop'));
      response.end('the gateway stops; the run goes on');
    } finally {
      unsubscribe();
      response.dispose();
    }
  }

  async #follow(): Promise<void> {
    const response = this.#response;
    while (response.goesOn && !this.#events.isOver) {
      response.listen();
      const message = await this.#options.store.message(this.#message.id);
      if (message === null) {
        this.#write(this.#events.breakOff('gone'));
        return;
      }
      const outcome = await outcomeOf(message, this.#options.store);
      if (outcome !== null) {
        this.#noteTurn(message);
        // The marks with which the text began anew are there still.
        if (this.#events.isResumable) await this.#catchUp();
        await response.drained();
        this.#write(this.#events.end(outcome, message));
        return;
      }
      this.#noteState(message);
      if (!this.#events.isResumable && !this.#hasText) await this.#passOverVoid(message);
      const { position } = this.#text;
      const isBehind = response.takesMore && (await this.#text.catchUp());
      if (this.#text.position > position) this.#pauseMs = firstPauseMs;
      await response.drained();
      if (!isBehind && !this.#events.isOver) await response.sleep(this.#pause());
    }
  }

  #noteState(message: Message): void {
    const { state, collectedIn } = message;
    if ((collectedIn?.state ?? state) === 'running' && !this.#isRunning) {
      this.#isRunning = true;
      this.#write(this.#events.running());
    }
    this.#noteTurn(message);
  }

  /** Goes over to the message whose turn this one is part of now. */
  #noteTurn({ id, collectedIn }: Message): void {
    const turn = collectedIn?.id ?? id;
    if (turn !== this.#text.messageId) this.#text = this.#textOf(turn);
  }

  /** A client that can't be told that a text is void is not sent one: that of attempts before the one that runs, or will. */
  async #passOverVoid({ state, collectedIn }: Message): Promise<void> {
    const { messageId } = this.#text;
    const isQueued = (collectedIn?.state ?? state) === 'queued';
    const after = await lastVoid(messageId, isQueued, this.#options.store);
    if (after > this.#text.position && !this.#hasText) this.#text = this.#textOf(messageId, after);
  }

  async #catchUp(): Promise<void> {
    this.#text.lookAgain();
    while (this.#response.goesOn) {
      if (!(await this.#text.catchUp())) return;
      await this.#response.drained();
    }
  }

  #write(events: string): boolean {
    return events === '' || this.#response.write(events);
  }

  #textOf(messageId: string, after = 0): LiveText {
    return new LiveText({
      messageId,
      after,
      hasBegun: true,
      read: (after, limit) => this.#options.store.deltas(messageId, after, limit),
      write: (event) => this.#write(event),
      format: (piece) => {
        if (piece.text !== '') this.#hasText = true;
        return this.#events.isOver ? '' : this.#events.piece(piece);
      },
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

/** Pieces of one read. */
const pageSize = 100;

/** The number of the last piece that is void: all are while no attempt runs, else those up to the last empty one. */
async function lastVoid(messageId: string, isQueued: boolean, store: Pick<Store, 'deltas'>): Promise<number> {
  let last = 0;
  for (let after = 0; ; ) {
    const { items, more } = await store.deltas(messageId, after, pageSize);
    after = items.at(-1)?.position ?? after;
    if (isQueued) last = after;
    else last = items.findLast(({ text }) => text === '')?.position ?? last;
    if (!more) return last;
  }
}
