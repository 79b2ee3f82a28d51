import { readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';

/** The error's name where a system call failed, such as "ENOENT"; throws any other error. */
function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return code;
}

/**
 * Whether a stopped unit with DynamicUser= has left the path. Its stop removes the runtime directory in `private/`, and
 * not the link to it (systemd.exec(5)). Over that link neither systemd nor mkdir(2) makes the directory of another user.
 */
export function isLeftoverLink(path: string): boolean {
  try {
    if (readlinkSync(path) !== `private/${basename(path)}`) return false;
  } catch (error) {
    codeOf(error);
    return false;
  }
  try {
    statSync(path);
    return false;
  } catch (error) {
    // Only root may look into private/.
    return codeOf(error) === 'ENOENT';
  }
}
