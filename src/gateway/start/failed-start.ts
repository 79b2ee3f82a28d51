import { constants } from 'node:os';
import { StoreError, type StoreFailure } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';
import { ChannelStartError } from '../channels.js';
import { SecretError } from './secrets.js';

/** A start that can't go on because of what the operator has set up: restarting would end the same way. */
export class RefusedStart extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RefusedStart';
  }
}

/** A failed start in the words and numbers that the operator and the service manager get. */
export interface FailedStart {
  /** `refused`: exit 78, not restarted; `crash`: exit 1, restarted. */
  readonly cause: 'refused' | 'crash';
  /** One line, for `STATUS=`. */
  readonly reason: string;
  /** For the journal; with the stack where the gateway itself may be at fault. */
  readonly text: string;
  /** errno(3), for `ERRNO=`. */
  readonly errno: number | null;
  /** The database can't be trusted. */
  readonly damaged: boolean;
}

/** The errno(3) of a failed system call or store, by its name such as "EADDRINUSE". */
function errnoOf(error: unknown): number | null {
  const name =
    error instanceof StoreError ? error.errno : error instanceof Error && 'code' in error ? error.code : null;
  return (constants.errno as Readonly<Record<string, number>>)[String(name)] ?? null;
}

/** Advice about a failed system call, where its error does not give it. */
function advice(errno: number | null): string {
  switch (errno) {
    case constants.errno.ENOSPC:
    case constants.errno.EDQUOT:
      return '; free space there (df), the start is tried again by systemd';
    case constants.errno.EROFS:
      return '; mount that file system for writing';
    default:
      return '';
  }
}

/** Failures that another start with the same store would meet again. */
const refusals: readonly StoreFailure[] = ['refused', 'corrupt'];

/** Judges the error that ended a start. */
export function failedStart(error: unknown): FailedStart {
  const store = error instanceof StoreError;
  const errno = errnoOf(error);
  const reason = `${errorMessage(error)}${store ? '' : advice(errno)}`;
  const refused =
    error instanceof RefusedStart ||
    error instanceof SecretError ||
    (error instanceof StoreError && refusals.includes(error.reason));
  // These explain themselves; any other may be the gateway's own mistake.
  const explained =
    refused || error instanceof StoreError || error instanceof ChannelStartError || errno !== null;
  const detail = !explained && error instanceof Error && error.stack !== undefined ? error.stack : reason;
  return {
    cause: refused ? 'refused' : 'crash',
    reason,
    text: `The gateway can't start: ${detail}`,
    errno,
    damaged: error instanceof StoreError && error.reason === 'corrupt',
  };
}
