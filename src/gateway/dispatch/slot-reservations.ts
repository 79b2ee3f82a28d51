import type { ArrivalClaim, Turn } from '../../store/turns.js';

/** A slot for the turn of a message that is on its way into the store. To be filled or released, once. */
export interface SlotReservation {
  readonly claim: ArrivalClaim;
  fill(turn: Turn): void;
  release(): void;
}

/** Slots of the dispatcher that are reserved for turns to come. */
export class SlotReservations {
  readonly #onFilled: (turn: Turn) => void;
  readonly #onReleased: () => void;
  #count = 0;
  #settled: () => void = () => undefined;

  /** `onReleased`: others may have wanted the slot meanwhile. */
  constructor(onFilled: (turn: Turn) => void, onReleased: () => void) {
    this.#onFilled = onFilled;
    this.#onReleased = onReleased;
  }

  get count(): number {
    return this.#count;
  }

  reserve(claim: ArrivalClaim): SlotReservation {
    this.#count += 1;
    return {
      claim,
      fill: (turn) => {
        this.#end();
        this.#onFilled(turn);
      },
      release: () => {
        this.#end();
        this.#onReleased();
      },
    };
  }

  /** Resolves once none is reserved; to be called when no further one will be. */
  settled(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  #end(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#settled();
  }
}
