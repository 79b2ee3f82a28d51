import type { ServerResponse } from 'node:http';
import type { Message, MessageState } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import type { MessageChanges } from '../../surroundings.js';

/** Another gateway may run the session: the store is read again after these pauses, in milliseconds. */
const firstPause = 1_000;
const longestPause = 10_000;

const unsettledStates: readonly MessageState[] = ['queued', 'running'];

/** True if it has no end yet; one that is part of another's turn ends with that. */
export function isUnsettled({ state, collectedIn }: Message): boolean {
  return unsettledStates.includes(collectedIn?.state ?? state);
}

/** Requests that wait for a message's reply. */
export class LongPolls {
  readonly #store: Pick<Store, 'message'>;
  readonly #changes: MessageChanges;
  readonly #waiting = new Set<Waiter>();
  #ended = false;

  constructor(store: Pick<Store, 'message'>, changes: MessageChanges) {
    this.#store = store;
    this.#changes = changes;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Answers all that wait with the present state, and from now on each at once: the gateway stops. */
  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiting) waiter.wake();
  }

  /** True if a stop keeps the message from being waited for. */
  endsEarly(message: Message): boolean {
    return this.#ended && isUnsettled(message);
  }

  /** The message once it has a reply or is dead, or as it is after `wait` milliseconds; null when there is none. */
  async read(id: string, wait: number, response: ServerResponse): Promise<Message | null> {
    if (wait <= 0) return this.#store.message(id);
    const until = performance.now() + wait;
    const waiter = new Waiter();
    const wake = () => waiter.wake();
    // Before the first read, so that no change falls in between.
    const unsubscribe = [this.#changes.subscribe(id, wake)];
    let turn = id;
    const { socket } = response;
    response.once('close', wake);
    // It may have gone: no more can be known of it before something is sent.
    socket?.once('end', wake);
    this.#waiting.add(waiter);
    try {
      for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
        waiter.reset();
        const message = await this.#store.message(id);
        const left = until - performance.now();
        if (message === null || !isUnsettled(message)) return message;
        const collectedIn = message.collectedIn?.id ?? turn;
        if (collectedIn !== turn) {
          // Its end is the end of this one, too, and is told of under its own id. Read again: it may have come by now.
          turn = collectedIn;
          unsubscribe.push(this.#changes.subscribe(turn, wake));
          continue;
        }
        if (this.#ended || response.closed || socket?.readableEnded || left <= 0) return message;
        await waiter.sleep(Math.min(left, pause));
      }
    } finally {
      for (const end of unsubscribe) end();
      response.off('close', wake);
      socket?.off('end', wake);
      this.#waiting.delete(waiter);
    }
  }
}

/** A sleep that can be ended from outside, also before it has begun. */
class Waiter {
  #woken = false;
  #end: () => void = () => {};

  wake(): void {
    this.#woken = true;
    this.#end();
  }

  reset(): void {
    this.#woken = false;
  }

  sleep(milliseconds: number): Promise<void> {
    if (this.#woken) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
