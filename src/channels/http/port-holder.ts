import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** State TCP_LISTEN in /proc/net/tcp, include/net/tcp_states.h. */
const listening = '0A';

/**
 * Who listens on a local TCP port, as far as this user may see it: the socket's inode from /proc/net/tcp (proc(5)),
 * then the process that has it open. Null when it can't be found: it only adds to an error's message.
 */
export function portHolder(port: number): { readonly pid: number; readonly name: string } | null {
  const links = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => inodes(table, port)));
  if (links.size === 0) return null;
  for (const entry of list('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const holds = list(`/proc/${entry}/fd`).some((descriptor) => {
      const target = orNull(() => readlinkSync(`/proc/${entry}/fd/${descriptor}`));
      return target !== null && links.has(target);
    });
    if (!holds) continue;
    const name = orNull(() => readFileSync(`/proc/${entry}/comm`, 'utf8').trim());
    return { pid: Number(entry), name: name ?? 'a process' };
  }
  return null;
}

function inodes(table: string, port: number): string[] {
  const rows =
    orNull(() => readFileSync(table, 'utf8'))
      ?.split('\n')
      .slice(1) ?? [];
  return rows.flatMap((row) => {
    const columns = row.trim().split(/\s+/);
    const local = Number.parseInt(columns[1]?.split(':')[1] ?? '', 16);
    return local === port && columns[3] === listening ? [`socket:[${columns[9]}]`] : [];
  });
}

function list(directory: string): string[] {
  return orNull(() => readdirSync(directory)) ?? [];
}

/** Other users' processes can't be read, and any process may end meanwhile: neither is an error here. */
function orNull<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch {
    return null;
  }
}
