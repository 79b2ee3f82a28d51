import type { AgentEvent } from '../agent.js';

/** Events that replace the one before of their type. */
const replaced: ReadonlySet<string> = new Set(['started', 'status', 'usage']);

const mostWaiting = 1_000;

/** Events of a turn on their way to who reads them. Pieces of text that wait become one, and of status lines the last stays. */
export class MergedEvents implements AsyncIterable<AgentEvent> {
  #waiting: AgentEvent[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  push(event: AgentEvent): void {
    const last = this.#waiting.length - 1;
    const before = this.#waiting[last];
    if (before?.type === 'delta' && event.type === 'delta') {
      this.#waiting[last] = { type: 'delta', text: before.text + event.text };
    } else if (before?.type === event.type && replaced.has(event.type)) {
      this.#waiting[last] = event;
    } else {
      this.#waiting.push(event);
    }
    // A reader that is far behind needs the text, and the last of what was replaced meanwhile.
    if (this.#waiting.length > mostWaiting) this.#shorten();
    this.#wake();
  }

  #shorten(): void {
    const shorter: AgentEvent[] = [];
    for (const [at, event] of this.#waiting.entries()) {
      if (replaced.has(event.type) && at < this.#waiting.length - 1) continue;
      const before = shorter.at(-1);
      if (before?.type === 'delta' && event.type === 'delta') {
        shorter[shorter.length - 1] = { type: 'delta', text: before.text + event.text };
      } else shorter.push(event);
    }
    this.#waiting = shorter;
  }

  /** No event follows. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AgentEvent> {
    while (true) {
      for (const event of this.#waiting.splice(0)) yield event;
      if (this.#waiting.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
