import type { ArrivalClaim, Turn } from '../../store/store.js';

/** A place for the turn of a message that is on its way into the store. To be filled or given back, once. */
export interface KeptPlace {
  readonly claim: ArrivalClaim;
  fill(turn: Turn): void;
  giveBack(): void;
}

/** Places of the dispatcher that are kept for turns to come. */
export class KeptPlaces {
  readonly #onFilled: (turn: Turn) => void;
  readonly #onGivenBack: () => void;
  #count = 0;
  #settled: () => void = () => undefined;

  /** `onGivenBack`: others may have wanted the place meanwhile. */
  constructor(onFilled: (turn: Turn) => void, onGivenBack: () => void) {
    this.#onFilled = onFilled;
    this.#onGivenBack = onGivenBack;
  }

  get count(): number {
    return this.#count;
  }

  keep(claim: ArrivalClaim): KeptPlace {
    this.#count += 1;
    return {
      claim,
      fill: (turn) => {
        this.#end();
        this.#onFilled(turn);
      },
      giveBack: () => {
        this.#end();
        this.#onGivenBack();
      },
    };
  }

  /** Resolves once none is kept; to be called when no further one will be. */
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
