/** Says why a value that JSON.parse gave can't be a message's metadata; null when it can. */
export function metadataMistake(value: unknown, depth: number): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
  return jsonMistake(value, depth);
}

/** Says why a value that JSON.parse gave can't be kept, nested in at most so many levels; null when it can. */
export function jsonMistake(value: unknown, depth: number): string | null {
  if (deeperThan(value, depth)) return `must not be nested deeper than ${depth}`;
  return holdsInfinity(value) ? 'must not hold a number beyond double precision' : null;
}

function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  return Object.values(value).some((item) => deeperThan(item, depth - 1));
}

/** JSON.parse makes it of 1e400, and JSON.stringify makes null of it. */
function holdsInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInfinity);
}
