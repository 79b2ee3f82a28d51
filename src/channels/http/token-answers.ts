import type { ServerResponse } from 'node:http';

/** The answers under way to requests with named tokens, so that none outlives its token. */
export class TokenAnswers {
  readonly #byName = new Map<string, Set<ServerResponse>>();

  note(name: string, answer: ServerResponse): void {
    if (answer.closed || answer.destroyed) return;
    const answers = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, answers.add(answer));
    answer.once('close', () => {
      answers.delete(answer);
      if (answers.size === 0 && this.#byName.get(name) === answers) this.#byName.delete(name);
    });
  }

  /** The token was revoked: ends what is under way with it, event streams and waits among it. */
  end(name: string): void {
    for (const answer of this.#byName.get(name) ?? []) answer.destroy();
  }
}
