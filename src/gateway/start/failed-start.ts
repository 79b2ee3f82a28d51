import { constants } from 'node:os';
import { ListenError } from '../../channels/http/server/listen.js';
import { StoreError, type StoreFailure } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';
import { formatTimeSpan } from '../../text/time-span.js';
import { ChannelStartError } from '../channels.js';
import { SecretError } from './secrets.js';

/** A start that can't go on because of what the operator has set up: restarting would end the same way. */
export class RefusedStart extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RefusedStart';
  }
}

/** Another process has the directories or the database. It may end by itself, and nothing has to be set up anew for that. */
export class InUseError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InUseError';
  }
}

/** A failed start in the words and numbers that the operator and the service manager get. */
export interface FailedStart {
  /**
   * `refused`: exit 78, not restarted. `unavailable`: something outside of the gateway is missing; exit 1, restarted.
   * `crash`: exit 1, restarted.
   */
  readonly cause: 'refused' | 'unavailable' | 'crash';
  /** One line, for `STATUS=`. */
  readonly reason: string;
  /** For the journal; with the stack where the gateway itself may be at fault. */
  readonly text: string;
  /** errno(3), for `ERRNO=`. */
  readonly errno: number | null;
  /** The database can't be trusted. */
  readonly damaged: boolean;
}

/** The name of a failed system call's errno(3), such as "EADDRINUSE"; null if it is none. */
function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null;
}

/** The errno(3) of a failed system call or store. */
function errnoOf(error: unknown): number | null {
  const name = error instanceof StoreError ? error.errno : codeOf(error);
  return (constants.errno as Readonly<Record<string, number>>)[String(name)] ?? null;
}

/** Failures of a store that may pass while nobody changes the gateway. */
const passingStoreFailures: readonly StoreFailure[] = ['unavailable', 'full'];
/** Such failures of system calls: a disk without room or read-only for now, an address that is taken or not there yet. */
const passingCodes: readonly (string | null)[] = [
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
];
/** Such failures of a listener alone: the directory of its socket, or the address of its name, is not there yet. */
const passingListenCodes: readonly string[] = ['ENOENT', 'ENOTFOUND', 'EAI_AGAIN'];

/** True if the error that ended a start may pass by itself, or by what somebody does outside of the gateway. */
export function mayPass(error: unknown): boolean {
  if (error instanceof InUseError) return true;
  if (error instanceof StoreError) return passingStoreFailures.includes(error.reason);
  if (error instanceof ListenError && passingListenCodes.includes(error.code)) return true;
  return passingCodes.includes(codeOf(error instanceof SecretError ? error.cause : error));
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

/** Judges the error that ended a start, which has waited so long for it to pass. */
export function failedStart(error: unknown, waitedMs = 0): FailedStart {
  const store = error instanceof StoreError;
  const errno = errnoOf(error);
  const waited = waitedMs === 0 ? '' : ` (The start waited ${formatTimeSpan(waitedMs)} for it.)`;
  const reason = `${errorMessage(error)}${store ? '' : advice(errno)}${waited}`;
  // An address that may not be had, or a required channel that does not start, is no fault of the gateway's either.
  const unavailable = mayPass(error) || error instanceof ListenError || error instanceof ChannelStartError;
  const refused =
    !unavailable &&
    (error instanceof RefusedStart ||
      error instanceof SecretError ||
      (error instanceof StoreError && refusals.includes(error.reason)));
  // These explain themselves; any other may be the gateway's own mistake.
  const explained =
    refused ||
    error instanceof InUseError ||
    error instanceof StoreError ||
    error instanceof ChannelStartError ||
    errno !== null;
  const detail = !explained && error instanceof Error && error.stack !== undefined ? error.stack : reason;
  return {
    cause: refused ? 'refused' : unavailable ? 'unavailable' : 'crash',
    reason,
    text: `The gateway can't start: ${detail}`,
    errno,
    damaged: error instanceof StoreError && error.reason === 'corrupt',
  };
}
