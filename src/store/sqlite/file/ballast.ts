import { randomBytes } from 'node:crypto';
import { lstatSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { codeOf, freeBytes, resumeFreeBytes } from './disk.js';
import { FileError, fullError } from './errors.js';

/** Size of the file, in bytes: the log and the database get by with it until all that was accepted has ended. */
export const ballastBytes = 8 * 1024 * 1024;

/** Free room that files leave to everything else, in bytes. */
const roomBesideFilesBytes = 2 * ballastBytes;

/** A smaller disk keeps none, in free bytes: it would be full the sooner. */
const plentyBytes = 8 * ballastBytes;

/** Time between two tries to make it anew, in milliseconds. */
const retryAfterMs = 10_000;

/**
 * Room beside the database that nobody else on its file system can take. A full disk gets it back, so that what was
 * accepted goes on, and the gateway stops and starts. New work is refused until there is as much again.
 */
export class Ballast {
  readonly #database: string;
  readonly #file: string;
  /** True if it was given up. */
  #isSpent: boolean;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(database: string) {
    this.#database = database;
    this.#file = `${database}-ballast`;
    const size = this.#size();
    this.#isSpent = size !== null && size < ballastBytes;
  }

  /** True from its release on, until it is there again. */
  get isSpent(): boolean {
    return this.#isSpent;
  }

  /** Gives its room back; false if it has none. */
  release(): boolean {
    try {
      if ((this.#size() ?? 0) === 0) return false;
      // The empty file tells the next start.
      truncateSync(this.#file);
    } catch {
      // The failure that led here is the one to be told.
      return false;
    }
    this.#isSpent = true;
    return true;
  }

  /** Makes it where there is room for it. Throws the errors of the file system, but not that it is full. */
  restore(): void {
    const isHeld = !this.#isSpent && this.#size() !== null;
    if (isHeld || !this.#hasRoomFor(this.#isSpent ? ballastBytes + resumeFreeBytes : plentyBytes)) return;
    rmSync(this.#file, { force: true });
    try {
      // Random, as some file systems compress.
      writeFileSync(this.#file, randomBytes(ballastBytes), { flag: 'wx', mode: 0o600 });
      this.#isSpent = false;
    } catch (error) {
      if (!['ENOSPC', 'EDQUOT'].includes(codeOf(error))) throw error;
      truncateSync(this.#file);
      this.#isSpent = true;
    }
  }

  /** Makes a spent one anew once there is room. Throws what `restore` does, with a rest until it tries again. */
  restoreSpent(): void {
    const isLate = performance.now() - this.#triedAt >= retryAfterMs;
    if (!this.#isSpent || !isLate || !this.#hasRoomFor(ballastBytes + resumeFreeBytes)) return;
    this.#triedAt = performance.now();
    this.restore();
  }

  /** Why new work has to leave the room to what was accepted; null: it need not. */
  trouble(): FileError | null {
    const isLow = this.#isSpent && !this.#hasRoomFor(ballastBytes + resumeFreeBytes);
    return isLow ? fullError(this.#database) : null;
  }

  /** Why a file has to wait, which must not take the last room of messages and of their ends; null: it need not. */
  fileTrouble(): FileError | null {
    // A file system that doesn't tell is taken to have room.
    const isLow = (freeBytes(this.#database) ?? roomBesideFilesBytes) < roomBesideFilesBytes;
    return this.#isSpent || isLow ? fullError(this.#database) : null;
  }

  #hasRoomFor(bytes: number): boolean {
    return (freeBytes(this.#database) ?? 0) >= bytes;
  }

  #size(): number | null {
    return lstatSync(this.#file, { throwIfNoEntry: false })?.size ?? null;
  }
}

/** Tells the operator of a release. */
export function releasedError(database: string): FileError {
  return new FileError(
    'full',
    `The disk of ${database} is full. The ${ballastBytes / 1024 ** 2} MiB that were kept free for what was accepted are given back to it, and new messages are refused until there is as much room again (df "${database}").`,
  );
}
