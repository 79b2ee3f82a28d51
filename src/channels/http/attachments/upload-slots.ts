import { Problem } from '../problem.js';

/** Seconds after which one of the uploads under way may have ended. */
const retryAfterSeconds = 5;

/** Bounds the uploads under way, whose clients may be slow. */
export class UploadSlots {
  readonly #limit: () => number;
  #underWay = 0;

  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Throws a Problem if there are as many uploads as there may be. */
  async run<Result>(upload: () => Promise<Result>): Promise<Result> {
    const limit = this.#limit();
    if (this.#underWay >= limit) {
      throw new Problem('too-many-uploads', `${limit} uploads are under way (attachments.concurrency).`, {
        retryAfter: retryAfterSeconds,
      });
    }
    this.#underWay += 1;
    try {
      return await upload();
    } finally {
      this.#underWay -= 1;
    }
  }
}
