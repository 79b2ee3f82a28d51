/**
 * A number in the environment, as sd-daemon(3) takes it: decimal digits alone. Null for anything else, and for a
 * number out of range.
 */
export function parseDecimal(text: string, smallest: bigint, largest: bigint): bigint | null {
  if (!/^[0-9]+$/.test(text)) return null;
  const value = BigInt(text);
  return value >= smallest && value <= largest ? value : null;
}

/** INT_MAX of limits.h, which bounds `pid_t` and descriptors. */
export const largestInt = 2n ** 31n - 1n;
