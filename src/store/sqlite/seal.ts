import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';

/**
 * A whole check of the database takes time in proportion to its size, so a start after a clean stop must do without.
 * A mark inside the database would not see what happened to the file meanwhile. So a clean close leaves a seal beside
 * it: the size, time of change and inode that the file had then. If they still agree, nobody has written to the file
 * since, and what was sound is sound. If not (a crash, a restored copy, an edit, a truncation) it is checked whole.
 * Commits newer than the file are in the write-ahead log, whose frames carry checksums.
 */
const sealPath = (path: string) => `${path}-seal`;

function fingerprintOf(path: string): string {
  const { size, mtimeNs, ino } = statSync(path, { bigint: true });
  return `size ${size}, modified ${mtimeNs} ns, inode ${ino}\n`;
}

/** Call it after the database was closed. */
export function seal(path: string): void {
  writeFileSync(sealPath(path), fingerprintOf(path), { mode: 0o600 });
}

export function isSealed(path: string): boolean {
  try {
    return readFileSync(sealPath(path), 'utf8') === fingerprintOf(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

export function breakSeal(path: string): void {
  rmSync(sealPath(path), { force: true });
}
