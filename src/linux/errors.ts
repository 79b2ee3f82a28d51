/** A system call that failed, errno(3). */
export interface SystemCallFailure {
  readonly outcome: 'failed';
  /** Positive, such as 111. */
  readonly errno: number;
  /** Such as "ECONNREFUSED". */
  readonly code: string;
  /** The meaning of the errno, such as "connection refused". */
  readonly message: string;
}

/** Thrown where a failed system call leaves nothing to go on with. */
export class SystemCallError extends Error {
  readonly errno: number;
  readonly code: string;

  constructor(what: string, failure: SystemCallFailure, hint = '') {
    super(`${what}: ${failure.message} (${failure.code})${hint === '' ? '' : `. ${hint}`}`);
    this.name = 'SystemCallError';
    this.errno = failure.errno;
    this.code = failure.code;
  }
}

/** The addon is not built, or not for this machine. Its message says what to run. */
export class NativeAddonError extends Error {
  constructor(message: string, options: ErrorOptions) {
    super(message, options);
    this.name = 'NativeAddonError';
  }
}

/** An argument that can't be used, named as the caller has written it. Nothing was done. */
export class ArgumentError extends RangeError {
  readonly code = 'ERR_INVALID_ARG_VALUE';

  constructor(
    /** The argument or its field, such as "status" or "fields.MESSAGE". */
    readonly argument: string,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options);
    this.name = 'ArgumentError';
  }
}
