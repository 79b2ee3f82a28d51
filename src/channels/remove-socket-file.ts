import { unlinkSync } from 'node:fs';

/** Removes what a socket left behind, if it did. Throws what the system says (unlink(2)). */
export function removeSocketFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
