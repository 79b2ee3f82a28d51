/** Failures of a store. */

/** Reasons that any database can have for not doing what was asked. */
export type StoreFailure =
  /** Passes by itself: a lock, a failing disk or network, a file system that is read-only for now. */
  | 'unavailable'
  /** There is no room for anything new. */
  | 'full'
  /** This program must not use it: it is another program's, of a newer schema, or its module is missing. */
  | 'refused'
  /** Its contents can't be trusted. */
  | 'corrupt'
  | 'closed'
  /** The cursor of a page is none that the store has given: the caller's mistake. */
  | 'bad-cursor'
  | 'internal';

export interface StoreErrorOptions extends ErrorOptions {
  /** One or two sentences for a client, without paths or names. Default: what the reason alone says. */
  readonly detail?: string | undefined;
  /** The errno(3) that says it best, such as "EROFS". */
  readonly errno?: string | undefined;
}

/**
 * The store could not take or do what was asked; what was accepted before is not touched by it. The message says what
 * happened, where, and what to do.
 */
export class StoreError extends Error {
  readonly detail: string | null;
  readonly errno: string | null;

  constructor(
    readonly reason: StoreFailure,
    message: string,
    { detail, errno, ...options }: StoreErrorOptions = {},
  ) {
    super(message, options);
    this.name = 'StoreError';
    this.detail = detail ?? null;
    this.errno = errno ?? null;
  }
}
