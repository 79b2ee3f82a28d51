import type { MessageProgress } from '../../channels/surroundings.js';
import type { Clock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import { turnFields } from './policy.js';

/** From a piece to its write, in milliseconds, and the characters after which it comes sooner. */
const longestDelayMs = 250;
const mostCharacters = 16_384;
/** A longer piece is cut, so that a reader takes it in one step. */
const longestPiece = 8_192;

export interface TurnDeltasOptions {
  readonly store: Pick<Store, 'appendDeltas'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly onProgress: (turn: Turn, progress: MessageProgress) => void;
}

/**
 * Takes what the agent of one attempt writes: numbers the pieces over all attempts, hands each on at once, and writes them
 * to the store together. If the turn wrote something before, an empty piece comes first: it says that all before it is void.
 */
export class TurnDeltas {
  readonly #turn: Turn;
  readonly #options: TurnDeltasOptions;
  /** Pieces that are not in the store. */
  #pieces: string[] = [];
  #characters = 0;
  /** The first half of a character (UTF-16), or nothing. */
  #begun = '';
  /** The number of the last piece. */
  #last: number;
  #hasBegun = false;
  #writing: Promise<void> | null = null;
  #isOver = false;
  #isInTrouble = false;
  #cancelTimer: (() => void) | null = null;

  constructor(turn: Turn, options: TurnDeltasOptions) {
    this.#turn = turn;
    this.#options = options;
    this.#last = turn.deltas;
  }

  add(text: string): void {
    let rest = storable(this.#begun + text);
    // The other half of a character comes with the next piece.
    this.#begun = /[\ud800-\udbff]$/.exec(rest)?.[0] ?? '';
    rest = rest.slice(0, rest.length - this.#begun.length);
    while (rest !== '') {
      const end = /[\ud800-\udbff]$/.test(rest.slice(0, longestPiece)) ? longestPiece - 1 : longestPiece;
      this.#add(rest.slice(0, end));
      rest = rest.slice(end);
    }
  }

  /** Writes what the store has not: the numbers of the next attempt go on behind all that was given. */
  async flush(): Promise<void> {
    await this.#writing;
    await (this.#pieces.length > 0 ? this.#write() : this.#writing);
  }

  /** The turn has ended: what is not in the store is not wanted there any more. */
  end(): void {
    this.#isOver = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#pieces = [];
  }

  /** The agent was started, or writes: what earlier attempts have written is void. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (this.#last === 0) return;
    this.#add('');
    // At once: it is to be in the store before the end of the turn, after which readers still go by it.
    void this.#write();
  }

  #add(piece: string): void {
    if (this.#isOver) return;
    this.begin();
    this.#pieces.push(piece);
    this.#characters += piece.length;
    this.#last += 1;
    this.#options.onProgress(this.#turn, { type: 'delta', position: this.#last, text: piece });
    this.#writeSoon();
  }

  #writeSoon(): void {
    if (this.#writing !== null || this.#isOver || this.#pieces.length === 0) return;
    if (this.#characters >= mostCharacters) {
      void this.#write();
      return;
    }
    this.#cancelTimer ??= this.#options.clock.after(longestDelayMs, () => {
      this.#cancelTimer = null;
      void this.#write();
    });
  }

  #write(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#writing ??= this.#writePieces().finally(() => {
      this.#writing = null;
      this.#writeSoon();
    });
    return this.#writing;
  }

  async #writePieces(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#characters = 0;
    const isWritten = await this.#append(pieces);
    if (this.#isOver) return;
    // They keep their numbers, so that none may be left out.
    if (!isWritten) this.#pieces = [...pieces, ...this.#pieces];
    else this.#options.onProgress(this.#turn, { type: 'stored' });
  }

  /** Gives false if the store did not take them. If the claim is lost, nothing more is asked of it. */
  async #append(pieces: readonly string[]): Promise<boolean> {
    const { store, log } = this.#options;
    try {
      if ((await store.appendDeltas(this.#turn, pieces)) === null) this.end();
      this.#isInTrouble = false;
      return true;
    } catch (error) {
      // People who watch see less; the reply is written until the store has it.
      if (!this.#isInTrouble) {
        const reason = errorMessage(error);
        log.debug(
          `The store did not take a part of a reply that is still written: ${reason}`,
          turnFields(this.#turn),
        );
      }
      this.#isInTrouble = true;
      return false;
    }
  }
}

/** Without NUL and halves of characters, but for one at the end: not every database keeps them. */
function storable(text: string): string {
  return text.replace(
    /\0|[\ud800-\udbff](?![\udc00-\udfff]|$)|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    '\ufffd',
  );
}
