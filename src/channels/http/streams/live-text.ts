import type { Delta, Deltas } from '../../../store/turns.js';
import { eventText } from './event-text.js';

/** A piece of a text that is still written. An empty one says that all before it is void. */
export type TextPiece = Pick<Delta, 'position' | 'text'>;

export interface LiveTextOptions {
  readonly messageId: string;
  /** The number of the last piece that is not to be sent. Default: 0. */
  readonly after?: number;
  /** True if pieces may have been written before. */
  readonly hasBegun: boolean;
  /** Pieces behind a number, as the store has them. */
  readonly read: (after: number, limit: number) => Promise<Deltas>;
  /** Gives false if the client is to be waited for before the next piece. */
  readonly write: (event: string) => boolean;
  /** Makes an event of a piece. Default: `delta`, and `restart` of an empty one. */
  readonly format?: (piece: TextPiece) => string;
  /** True if the client takes more. */
  readonly takesMore: () => boolean;
}

/** Pieces of one read; none is longer than 8,192 characters. */
const pageSize = 32;
/** Characters that are held for a client while the store is read for it. */
const mostHeld = 65_536;

/**
 * The text of one message that is still written, as one client has it. Pieces come live while the client takes them. One
 * that comes later, or is slow, gets what it has missed from the store, and holds no more than a page here.
 */
export class LiveText {
  readonly messageId: string;
  readonly #options: LiveTextOptions;
  /** The number of the last piece that was sent. */
  #position = 0;
  /** The highest number of a piece that was written just now. */
  #lastWritten = 0;
  #isBehind: boolean;
  #looksAgain = false;
  /** Pieces that came while the store was read. */
  #held: TextPiece[] = [];
  #heldCharacters = 0;

  constructor(options: LiveTextOptions) {
    this.messageId = options.messageId;
    this.#options = options;
    this.#isBehind = options.hasBegun;
    this.#position = options.after ?? 0;
  }

  /** The number of the last piece that was sent; 0 if none was. */
  get position(): number {
    return this.#position;
  }

  /** True if the store may have pieces that the client has not. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** The store may have pieces that the client has not, as another gateway runs the turn. */
  lookAgain(): void {
    this.#looksAgain = true;
  }

  /** A piece was written just now. */
  live(piece: TextPiece): void {
    if (piece.position <= this.#position) return;
    this.#lastWritten = piece.position;
    const isNext = !this.#isBehind && piece.position === this.#position + 1;
    if (isNext && this.#options.takesMore()) {
      this.#send(piece);
      return;
    }
    this.#isBehind = true;
    this.#hold(piece);
  }

  /** Sends what the store has, as much as the client takes. Gives true if there may be more at once. */
  async catchUp(): Promise<boolean> {
    if (!this.#isBehind && !this.#looksAgain) return false;
    this.#looksAgain = false;
    const { items, more } = await this.#options.read(this.#position, pageSize);
    for (const piece of items) {
      if (!this.#options.takesMore()) return true;
      if (piece.position > this.#position) this.#send(piece);
    }
    if (more) return true;
    const held = this.#held;
    this.#held = [];
    this.#heldCharacters = 0;
    for (const piece of held) {
      if (piece.position === this.#position + 1 && this.#options.takesMore()) this.#send(piece);
    }
    // The missing pieces come into the store within a moment, and the store tells of them.
    this.#isBehind = this.#position < this.#lastWritten;
    return false;
  }

  #hold(piece: TextPiece): void {
    this.#heldCharacters += piece.text.length;
    if (this.#heldCharacters <= mostHeld && this.#options.takesMore()) this.#held.push(piece);
    else this.#held = [];
  }

  #send(piece: TextPiece): void {
    this.#position = piece.position;
    const { format = (each) => eventOf(this.messageId, each) } = this.#options;
    this.#options.write(format(piece));
  }
}

function eventOf(id: string, { position, text }: TextPiece): string {
  // An empty piece: the turn runs again.
  return text === '' ? eventText('restart', { id, position }) : eventText('delta', { id, position, text });
}
