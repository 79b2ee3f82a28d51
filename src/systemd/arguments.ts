/** Any value as a person can recognize it, in one short line; never throws. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shortened(value));
  if (typeof value === 'bigint') return isLong(value) ? 'a bigint of many digits' : `${value}n`;
  if (typeof value === 'object' && value !== null) return isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : shortened(String(value));
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The digits of a huge number take minutes. */
function isLong(value: bigint): boolean {
  return value > 2n ** 256n || value < -(2n ** 256n);
}

function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    // A revoked proxy answers nothing.
    return false;
  }
}

/**
 * A number in the environment, as sd-daemon(3) takes it: decimal digits alone. Null for anything else, and for a
 * number out of range.
 */
export function parseDecimal(text: string, smallest: bigint, largest: bigint): bigint | null {
  if (!/^[0-9]+$/.test(text)) return null;
  const value = BigInt(text);
  return value >= smallest && value <= largest ? value : null;
}

/** EINVAL of errno(3). */
export const errnoInvalid = 22;

/** INT_MAX of limits.h, which bounds `pid_t` and descriptors. */
export const largestInt = 2n ** 31n - 1n;
