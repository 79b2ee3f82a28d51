import { getSystemErrorMap } from 'node:util';

/** A system call that failed, errno(3). */
export interface SystemCallFailure {
  readonly outcome: 'failed';
  /** Positive, such as 111. */
  readonly errno: number;
  /** Such as "ECONNREFUSED". */
  readonly code: string;
  /** What it means, such as "connection refused". */
  readonly message: string;
}

/** Reads a negative errno, as the addon returns it. */
export function failure(negativeErrno: number): SystemCallFailure {
  const [code, message] = getSystemErrorMap().get(negativeErrno) ?? [
    `errno ${-negativeErrno}`,
    'see errno(3)',
  ];
  return { outcome: 'failed', errno: -negativeErrno, code, message };
}

/** Thrown where a failed system call leaves nothing to go on with. */
export class SystemCallError extends Error {
  readonly errno: number;
  readonly code: string;

  constructor(what: string, negativeErrno: number, hint = '') {
    const { errno, code, message } = failure(negativeErrno);
    super(`${what}: ${message} (${code})${hint === '' ? '' : `. ${hint}`}`);
    this.name = 'SystemCallError';
    this.errno = errno;
    this.code = code;
  }
}
