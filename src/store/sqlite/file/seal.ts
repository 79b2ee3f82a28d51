import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { readRegularFile } from '../../../linux/files.js';
import { bootId } from '../../../linux/process.js';
import { codeOf } from './disk.js';
import { strayAtSeal } from './errors.js';
import type { LogMark } from './write-ahead-log.js';

/**
 * A whole check of the database takes time in proportion to its size, so that most starts must do without. A mark
 * inside the database would not see what happened to the file meanwhile. So a seal lies beside it: the size, time of
 * change and inode that the file had when the gateway last wrote to it. If they still agree, nobody has touched the
 * file since, and what was sound is sound. If not (a restored copy, an edit, a truncation) it is checked whole.
 *
 * The file is written by checkpoints only, and sealed again after each; what is newer lies in the write-ahead log,
 * whose frames carry checksums. So the seal also holds after a kill, unless it struck within a checkpoint: then the seal
 * says that the log is being copied, and all of it is needed. Over a crash of the machine, when the kernel may have lost writes, only the seal of a clean close is trusted: any other
 * names the boot that it was made in.
 *
 * Its second line marks how far the log had been synced, so that a log that is gone or damaged is not taken for a
 * shorter one. Nobody syncs the mark itself: after a power cut it may be older, and never says too much. It holds only
 * together with the first line: whoever copies the log into the database changes that file.
 */
export const sealPath = (path: string) => `${path}-seal`;

export interface SealFinding {
  /** True when nobody has written to the database since the gateway did. */
  readonly intact: boolean;
  /** True when the last run had closed the database. */
  readonly closed: boolean;
  /** The mark that the log has to reach; null: nobody knows. */
  readonly log: LogMark | null;
  /** False if the machine may have crashed since. */
  readonly isSameBoot: boolean;
}

/** Bytes of the first line, so that the second one can be written in its place. */
const firstLineBytes = 160;

function fingerprintOf(path: string): string {
  const { size, mtimeNs, ino } = statSync(path, { bigint: true });
  return `size ${size}, modified ${mtimeNs} ns, inode ${ino}`;
}

const closedNote = 'closed';
/** If the boot can't be told from others, no such seal is trusted. */
const openNote = () => `open in boot ${bootId() ?? 'unknown'}`;
/** A page could not be read, or was not sound: the next start reads all of them. What the seal says of the log still holds. */
const damagedNote = () => `damaged in boot ${bootId() ?? 'unknown'}`;
/** Without the fingerprint, which changes with each page that is copied. */
const copyingNote = 'copying the log';

const firstLineOf = (text: string) => `${text.padEnd(firstLineBytes - 1)}\n`;

/** `damaged`: there was something in it that can't be read. */
export type SealState = 'open' | 'closed' | 'damaged';

function firstLineFor(path: string, state: SealState): string {
  const note = { open: openNote, closed: () => closedNote, damaged: damagedNote }[state]();
  return firstLineOf(`${fingerprintOf(path)}, ${note}`);
}

/** Seals the database as it lies there: `closed` after it was closed, else after a checkpoint. */
export function seal(path: string, state: SealState, log: LogMark | null = null): void {
  const firstLine = firstLineFor(path, state);
  write(path, `${firstLine}${log === null ? '' : lineOf(log)}`, constants.O_CREAT | constants.O_TRUNC);
}

/**
 * Marks how far the log of a database is synced, in its seal's second line. Each commit has a mark, so that the file
 * stays open between them.
 */
export class LogMarker {
  readonly #path: string;
  #descriptor: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Leaves the seal's first line as it is. Throws what the file system says; the next call tries again. */
  mark(log: LogMark): void {
    this.#write(lineOf(log), firstLineBytes);
  }

  /** The log is about to be copied into the database. A kill in the middle leaves the mark, which holds all the same. */
  beginCopy(): void {
    this.#write(firstLineOf(`${copyingNote}, ${openNote()}`), 0);
  }

  /** Damage was found, or not all of the log was copied: the mark holds for the database as it is now. */
  seal(state: 'open' | 'damaged'): void {
    this.#write(firstLineFor(this.#path, state), 0);
  }

  #write(text: string, position: number): void {
    try {
      writeSync(this.#open(), text, position);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The next mark opens it again. */
  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  #open(): number {
    // Removed or replaced: the next start would not read it.
    if (this.#descriptor !== null && fstatSync(this.#descriptor).nlink === 0) this.close();
    this.#descriptor ??= openToWrite(sealPath(this.#path), 0);
    return this.#descriptor;
  }
}

/** Each line has the same length: it is written in the place of the one before. */
function lineOf({ salts, frames, isCopied }: LogMark): string {
  return `log ${salts}, frames ${String(frames).padStart(10, '0')}, ${isCopied ? 'copied' : 'needed'}\n`;
}

/** Writes through no link and into no pipe, which an agent could have put there. */
function write(path: string, text: string, flags: number): void {
  const descriptor = openToWrite(sealPath(path), flags);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function openToWrite(path: string, flags: number): number {
  const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    return openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | flags, 0o600);
  } catch (error) {
    if (codeOf(error) === 'ELOOP') throw strayAtSeal(path, 'symbolic link');
    // Nobody reads from the pipe (fifo(7)).
    throw codeOf(error) === 'ENXIO' ? strayAtSeal(path, 'named pipe') : error;
  }
}

export function readSeal(path: string): SealFinding {
  const [first = '', second = ''] = (readIfThere(sealPath(path)) ?? '').split('\n');
  const fingerprint = fingerprintOf(path);
  const sealed = first.trimEnd();
  const closed = sealed === `${fingerprint}, ${closedNote}`;
  const isOf = (text: string) => sealed === text && bootId() !== null;
  const intact = closed || isOf(`${fingerprint}, ${openNote()}`);
  const holds = sealed.startsWith(`${fingerprint}, `) || sealed.startsWith(`${copyingNote}, `);
  return {
    intact,
    closed,
    log: holds ? markIn(second) : null,
    isSameBoot: intact || isOf(`${copyingNote}, ${openNote()}`) || isOf(`${fingerprint}, ${damagedNote()}`),
  };
}

function markIn(line: string): LogMark | null {
  const [, salts, frames, state] =
    /^log ([0-9a-f]{16}), frames (\d{10})(, copied|, needed|)$/.exec(line) ?? [];
  if (salts === undefined) return null;
  // The marks of 0.1.0 and before have no state, and no frames once all was copied.
  const isCopied = state === '' ? Number(frames) === 0 : state === ', copied';
  return { salts, frames: Number(frames), isCopied };
}

function readIfThere(path: string): string | null {
  try {
    return readRegularFile(path, 'links-followed').toString();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
