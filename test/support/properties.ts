/**
 * A factor on how many random inputs each property is tried with. `npm test` takes a few, since each run of it tries
 * others; `npm run test:all` sets PROPERTY_FACTOR and takes many times as many.
 */
const factor = Number(process.env['PROPERTY_FACTOR'] ?? 1);

/** For `numRuns` of fast-check. */
export function propertyRuns(few: number): number {
  return Math.ceil(few * factor);
}

/** For `timeout` of a test with such a property. */
export function propertyTimeoutMs(forFew: number): number {
  return forFew * Math.max(1, factor);
}
