import type { AgentEvent } from './agent.js';

/** The events of a turn from where they happen to whoever reads them. */
export class EventQueue implements AsyncIterable<AgentEvent> {
  #events: AgentEvent[] = [];
  #failure: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  push(event: AgentEvent): void {
    this.#events.push(event);
    this.#wake();
  }

  /** The turn has failed: the reader gets the error behind the events. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#wake();
  }

  /** Ends with the event `end`, or with an error. */
  async *[Symbol.asyncIterator](): AsyncGenerator<AgentEvent> {
    for (;;) {
      const events = this.#events;
      this.#events = [];
      for (const event of events) {
        yield event;
        if (event.type === 'end') return;
      }
      if (this.#events.length > 0) continue;
      if (this.#failure !== null) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
