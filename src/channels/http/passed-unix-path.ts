import { readFileSync, readlinkSync } from 'node:fs';

/**
 * The path of a Unix socket that was passed, as clients name it; "@name" for an abstract one (unix(7)). Node.js does not
 * tell it, so it is looked up in /proc/self/net/unix (proc(5)). Null when the descriptor is no such socket, has no path, or
 * was bound in another network namespace than this process's, whose sockets the table has (PrivateNetwork=), or when there
 * is no such table.
 */
export function passedUnixPath(descriptor: number): string | null {
  let link: string;
  let table: string;
  try {
    link = readlinkSync(`/proc/self/fd/${descriptor}`);
    table = readFileSync('/proc/self/net/unix', 'utf8');
  } catch {
    // It serves all the same.
    return null;
  }
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  for (const row of table.split('\n').slice(1)) {
    // Num RefCount Protocol Flags Type St Inode Path; a path may have blanks in it.
    const [, rowInode, path] = /^\S+(?: +\S+){5} +(\d+)(?: (.+))?$/.exec(row) ?? [];
    if (rowInode !== undefined && rowInode === inode) return path ?? null;
  }
  return null;
}
