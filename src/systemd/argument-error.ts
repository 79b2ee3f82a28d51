/** An argument that can't be used, named as the caller has written it. Nothing was done. */
export class ArgumentError extends RangeError {
  readonly code = 'ERR_INVALID_ARG_VALUE';

  constructor(
    /** The argument or its field, such as "status" or "fields.MESSAGE". */
    readonly argument: string,
    message: string,
  ) {
    super(message);
    this.name = 'ArgumentError';
  }
}

/** Any value as a person can recognize it, in one short line; never throws. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
