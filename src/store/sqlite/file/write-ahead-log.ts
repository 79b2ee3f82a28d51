import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import type { Database } from 'better-sqlite3';
import { damagedAdvice, FileError, LostWritesError } from './errors.js';

/** The write-ahead log as a file: https://www.sqlite.org/fileformat2.html#the_write_ahead_log */

/** The part of a log that was synced. */
export interface LogMark {
  /** The two salts of its header, in hexadecimal: each restart of the log has new ones. */
  readonly salts: string;
  /** Frames up to the end of a transaction. */
  readonly frames: number;
  /** True if the database has all of them: a log that is gone is no loss then. */
  readonly isCopied: boolean;
}

const headerBytes = 32;
const frameHeaderBytes = 24;
/** Its last bit says in which byte order the checksums are computed. */
const magic = 0x377f0682;
const formatVersion = 3_007_000;
/** Restarts of a log that may come between a mark and a power cut. */
const mostRestarts = 0xffff;

type Sum = readonly [number, number];

function checksum(bytes: DataView, from: number, until: number, [first, second]: Sum, little: boolean): Sum {
  let [a, b] = [first, second];
  for (let at = from; at < until; at += 8) {
    a = (a + bytes.getUint32(at, little) + b) >>> 0;
    b = (b + bytes.getUint32(at + 4, little) + a) >>> 0;
  }
  return [a, b];
}

function sumAt(bytes: DataView, at: number): Sum {
  return [bytes.getUint32(at), bytes.getUint32(at + 4)];
}

const agree = (one: Sum, other: Sum) => one[0] === other[0] && one[1] === other[1];

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface Header {
  readonly salts: string;
  readonly pageBytes: number;
  readonly little: boolean;
  readonly sum: Sum;
}

/** Gives null where SQLite would take the log for an empty one. */
function readHeader(descriptor: number): Header | null {
  const bytes = Buffer.alloc(headerBytes);
  if (readSync(descriptor, bytes, 0, headerBytes, 0) < headerBytes) return null;
  const view = viewOf(bytes);
  const little = view.getUint32(0) === magic;
  const sum = checksum(view, 0, 24, [0, 0], little);
  const isSound = (view.getUint32(0) & ~1) === magic && agree(sum, sumAt(view, 24));
  if (!isSound) return null;
  return { salts: bytes.toString('hex', 16, 24), pageBytes: view.getUint32(8), little, sum };
}

interface Frame {
  readonly bytes: Buffer;
  readonly salts: string;
  readonly page: number;
  /** Pages of the database behind the transaction that it ends; 0: it ends none. */
  readonly pagesAfter: number;
  /** False if its checksum is not the one that follows from the frame before it. */
  readonly follows: boolean;
}

/** Where a frame begins in the file, in bytes. */
const placeOf = (frame: number, { pageBytes }: Header) =>
  headerBytes + frame * (frameHeaderBytes + pageBytes);

/** Each frame of the file, sound or not. A bad one doesn't spoil the next: that follows from the sum as it stands. */
function* framesOf(descriptor: number, header: Header, first = 0): Generator<Frame> {
  const { pageBytes, little } = header;
  const length = frameHeaderBytes + pageBytes;
  let before = first === 0 ? header.sum : storedSum(descriptor, placeOf(first - 1, header));
  for (let at = placeOf(first, header); ; at += length) {
    const bytes = Buffer.alloc(length);
    if (readSync(descriptor, bytes, 0, length, at) < length) return;
    const view = viewOf(bytes);
    const sum = checksum(view, frameHeaderBytes, length, checksum(view, 0, 8, before, little), little);
    const stored = sumAt(view, 16);
    yield {
      bytes,
      salts: bytes.toString('hex', 8, 16),
      page: view.getUint32(0),
      pagesAfter: view.getUint32(4),
      follows: agree(sum, stored),
    };
    before = stored;
  }
}

function storedSum(descriptor: number, frameAt: number): Sum {
  const bytes = Buffer.alloc(8);
  readSync(descriptor, bytes, 0, 8, frameAt + 16);
  return sumAt(viewOf(bytes), 0);
}

/** Opens a log to read it. SQLite holds its locks on other files, so that a close drops none. */
function openLog(path: string): number | null {
  try {
    return openSync(`${path}-wal`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function withLog<Result>(path: string, read: (descriptor: number | null) => Result): Result {
  const descriptor = openLog(path);
  try {
    return read(descriptor);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Frames in the log, and those of them that are in the database. */
export interface CheckpointRow {
  readonly busy: 0 | 1;
  readonly log: number;
  readonly checkpointed: number;
}

/** The salts in the header of a log; null if it has none. */
export function saltsOf(path: string): string | null {
  return withLog(path, (file) => {
    const salts = Buffer.alloc(8);
    return file === null || readSync(file, salts, 0, 8, 16) < 8 ? null : salts.toString('hex');
  });
}

/** True if the database has all of the log. The next transaction then begins it anew, with new salts. */
export const isCopied = ({ log, checkpointed }: CheckpointRow) => log === checkpointed;

/** The log of a database that this process writes. Call it behind a commit with a sync. */
export function markOf(path: string, row: CheckpointRow, salts = saltsOf(path)): LogMark | null {
  return salts === null ? null : { salts, frames: row.log, isCopied: isCopied(row) };
}

export function logOf(database: Database): CheckpointRow {
  const [row] = database.pragma('wal_checkpoint(NOOP)') as CheckpointRow[];
  return row ?? { busy: 0, log: 0, checkpointed: 0 };
}

/**
 * Refuses a log that doesn't reach as far as it had been synced: SQLite takes one that is gone or damaged for a shorter
 * one, and what was answered is gone in silence. `isSameBoot`: after a crash of the machine, a file system may have
 * kept the end of the log and not the change of the database before it.
 */
export function checkLog(path: string, mark: LogMark | null, isSameBoot: boolean): void {
  if (mark === null || mark.isCopied) return;
  withLog(path, (log) => {
    if (log === null || fstatSync(log).size === 0) {
      if (isSameBoot) throw damagedLog(path, 'is gone', mark);
      return;
    }
    const header = readHeader(log);
    if (header === null) throw damagedLog(path, 'has a damaged header', mark);
    if (isLater(header.salts, mark.salts)) return;
    if (header.salts !== mark.salts) throw damagedLog(path, 'is another one', mark);
    const frames = soundFrames(log, header, mark.frames);
    if (frames < mark.frames) throw damagedLog(path, `is damaged behind frame ${frames}`, mark);
  });
}

/**
 * Empties a log that is damaged and not needed, and says whether it did. SQLite would read the frames before the damage,
 * and take their pages for newer ones than those of the database, which has all of the log.
 */
export function emptyDamagedCopied(path: string, mark: LogMark | null): boolean {
  if (mark === null || !mark.isCopied || mark.frames === 0) return false;
  const isDamaged = withLog(path, (log) => {
    const header = log === null ? null : readHeader(log);
    if (log === null || header?.salts !== mark.salts) return false;
    return soundFrames(log, header, mark.frames) < mark.frames;
  });
  if (isDamaged) truncateSync(`${path}-wal`);
  return isDamaged;
}

function isLater(salts: string, before: string): boolean {
  const restarts = (Number.parseInt(salts.slice(0, 8), 16) - Number.parseInt(before.slice(0, 8), 16)) >>> 0;
  return restarts > 0 && restarts <= mostRestarts;
}

/** Frames that SQLite would read, up to the end of a transaction; no more than `enough` are looked at. */
function soundFrames(log: number, header: Header, enough: number): number {
  let [seen, committed] = [0, 0];
  for (const { salts, pagesAfter, follows } of framesOf(log, header)) {
    if (!follows || salts !== header.salts) break;
    seen += 1;
    if (pagesAfter > 0) committed = seen;
    if (seen >= enough) break;
  }
  return committed;
}

/**
 * Writes what the log has behind the mark anew, and syncs it. After a failed sync the kernel takes it for written, and no
 * later sync writes it again (fsync(2), EIO). Call it with the database's write lock. `frames`: so many does the log have.
 * If frames behind the mark are gone from the kernel's memory, it cuts them off and throws LostWritesError.
 */
export function syncAnew(path: string, synced: LogMark | null, frames: number): void {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  const log = openSync(`${path}-wal`, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  try {
    const mark = synced ?? { salts: '', frames: 0, isCopied: false };
    const header = readHeader(log);
    if (header === null) throw damagedLog(path, 'has a damaged header', { frames });
    const isMarked = header.salts === mark.salts;
    const first = isMarked ? mark.frames : 0;
    if (first >= frames) return;
    const end = writeFramesAnew(log, header, first, frames);
    if (end < frames && !isMarked) throw damagedLog(path, `is damaged behind frame ${end}`, { frames });
    if (end < frames) {
      // Or a close would copy what lies there instead into the database.
      ftruncateSync(log, placeOf(end, header));
      throw new LostWritesError(path);
    }
    fsyncSync(log);
  } finally {
    closeSync(log);
  }
}

/** Gives the end of the last transaction that is there whole, as a number of frames. */
function writeFramesAnew(log: number, header: Header, first: number, end: number): number {
  let [next, committed] = [first, first];
  for (const { bytes, salts, pagesAfter, follows } of framesOf(log, header, first)) {
    if (!follows || salts !== header.salts) break;
    writeSync(log, bytes, 0, bytes.length, placeOf(next, header));
    next += 1;
    if (pagesAfter > 0) committed = next;
    if (next === end) break;
  }
  return committed;
}

function damagedLog(path: string, fault: string, { frames }: Pick<LogMark, 'frames'>): FileError {
  return new FileError(
    'damaged',
    `${damagedAdvice(path)} (The write-ahead log ${path}-wal ${fault}, and had ${frames} synced frames: messages that were answered are in it. If it was moved away, put it back.)`,
  );
}

/**
 * Has SQLite read the frames behind damaged ones, up to the mark: writes the log anew, with sound checksums. Only for a
 * copy, whose content is then read as far as it can be. Gives how many of its frames are damaged or gone.
 */
export function mendLog(path: string, { salts, frames }: LogMark): number {
  const pageBytes = pageBytesOf(path);
  const kept: Frame[] = withLog(path, (log) => {
    if (log === null) return [];
    const header = readHeader(log) ?? { salts, pageBytes, little: true, sum: [0, 0] };
    const found: Frame[] = [];
    let seen = 0;
    for (const frame of framesOf(log, header)) {
      if (seen++ === frames) break;
      if (frame.salts === salts) found.push(frame);
    }
    return found;
  });
  const end = kept.findLastIndex(({ pagesAfter }) => pagesAfter > 0);
  const pages = kept[end]?.pagesAfter ?? 0;
  const usable = kept.slice(0, end + 1).filter(({ page }) => page > 0 && page <= pages);
  if (usable.length > 0) writeLog(path, salts, pageBytes, usable, pages);
  return frames - usable.filter(({ follows }) => follows).length;
}

/** From the database's header. */
function pageBytesOf(path: string): number {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    const bytes = Buffer.alloc(2);
    readSync(descriptor, bytes, 0, 2, 16);
    return pageBytesIn(bytes, 0);
  } finally {
    closeSync(descriptor);
  }
}

function pageBytesIn(bytes: Buffer, at: number): number {
  // 1 stands for 65536.
  return bytes.readUInt16BE(at) === 1 ? 65_536 : bytes.readUInt16BE(at);
}

function writeLog(
  path: string,
  salts: string,
  pageBytes: number,
  frames: readonly Frame[],
  pages: number,
): void {
  const { O_WRONLY, O_TRUNC, O_NOFOLLOW } = constants;
  const descriptor = openSync(`${path}-wal`, O_WRONLY | O_TRUNC | O_NOFOLLOW);
  try {
    const header = Buffer.alloc(headerBytes);
    const view = viewOf(header);
    for (const [index, value] of [magic, formatVersion, pageBytes].entries())
      view.setUint32(index * 4, value);
    header.write(salts, 16, 'hex');
    let sum = checksum(view, 0, 24, [0, 0], true);
    for (const [index, value] of sum.entries()) view.setUint32(24 + index * 4, value);
    writeSync(descriptor, header);
    for (const [index, { bytes }] of frames.entries()) {
      const frame = viewOf(bytes);
      frame.setUint32(4, index === frames.length - 1 ? pages : 0);
      sum = checksum(frame, frameHeaderBytes, bytes.length, checksum(frame, 0, 8, sum, true), true);
      for (const [place, value] of sum.entries()) frame.setUint32(16 + place * 4, value);
      writeSync(descriptor, bytes);
    }
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Gives the content of a database with the whole transactions of its log, as SQLite reads it, for a database in memory: there
 * is no log there. Null: it has more bytes than that.
 *
 * @param content of the database's file; it may be changed
 * @param log a descriptor of the log; null: there is none
 */
export function contentWithLog(content: Buffer, log: number | null, largestBytes: number): Buffer | null {
  const whole = log === null ? content : withTransactions(content, log, largestBytes);
  // Versions of the file's format: 2 has a log (https://www.sqlite.org/fileformat2.html#file_format_version_numbers).
  whole?.fill(1, 18, Math.min(20, whole.length));
  return whole;
}

function withTransactions(content: Buffer, log: number, largestBytes: number): Buffer | null {
  const header = readHeader(log);
  if (header === null || content.length < 18 || header.pageBytes !== pageBytesIn(content, 16)) return content;
  const end = soundFrames(log, header, Number.POSITIVE_INFINITY);
  let [seen, most, pages] = [0, 0, 0];
  for (const { page, pagesAfter } of framesOf(log, header)) {
    if (seen++ === end) break;
    most = Math.max(most, page, pagesAfter);
    if (pagesAfter > 0) pages = pagesAfter;
  }
  const { pageBytes } = header;
  if (pages === 0) return content;
  if (most * pageBytes > largestBytes) return null;
  const whole = Buffer.concat([content], Math.max(content.length, most * pageBytes));
  seen = 0;
  for (const { bytes, page } of framesOf(log, header)) {
    if (seen++ === end) break;
    if (page > 0) bytes.copy(whole, (page - 1) * pageBytes, frameHeaderBytes);
  }
  return whole.subarray(0, pages * pageBytes);
}
