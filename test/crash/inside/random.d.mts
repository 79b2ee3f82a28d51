/** Numbers that a seed determines, so that a run can be made again. */
export class Random {
  constructor(seed: number);

  /** From 0 up to, but not 1. */
  next(): number;

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;

  /** True so often: 0 is never, 1 is always. */
  chance(part: number): boolean;

  /** One of the items, by their weights. */
  pick<Item extends { readonly weight: number }>(items: readonly Item[]): Item;
}
