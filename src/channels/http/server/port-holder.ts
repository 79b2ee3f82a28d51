import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { endianness } from 'node:os';

/** State TCP_LISTEN in /proc/net/tcp, include/net/tcp_states.h. */
const listening = '0A';

/** A process that has a listening socket open. */
export interface PortHolder {
  readonly pid: number;
  readonly name: string;
}

/**
 * Finds the processes that listen where a server at this host and port would, as far as this user may see it. Reads
 * the sockets' inodes from /proc/net/tcp (proc(5)), then looks for the processes that have one open. The service
 * manager has a socket that it keeps open beside the gateway.
 * @param host null: at any address
 */
export function portHolders(port: number, host: string | null): readonly PortHolder[] {
  const inodes = tables().flatMap((table) => listeningInodes(table, port, host));
  if (inodes.length === 0) return [];
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return list('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const holds = list(`/proc/${entry}/fd`).some((descriptor) => {
      const target = orNull(() => readlinkSync(`/proc/${entry}/fd/${descriptor}`));
      return target !== null && links.has(target);
    });
    if (!holds) return [];
    const name = orNull(() => readFileSync(`/proc/${entry}/comm`, 'utf8').trim());
    return [{ pid: Number(entry), name: name ?? 'a process' }];
  });
}

/** True for a service manager. It keeps sockets for its units, beside the processes that use them; so does a user's. */
export function isManager({ pid, name }: PortHolder): boolean {
  return pid === 1 || name === 'systemd';
}

/** The users of the sockets that listen there: also of processes whose descriptors this user may not see. */
export function listeningUsers(port: number, host: string | null): readonly number[] {
  return tables().flatMap((table) => listeningRows(table, port, host).map(({ uid }) => uid));
}

/**
 * The addresses among those of a gateway at whose port nothing listens in this process's network namespace: it has
 * another one (PrivateNetwork=, NetworkNamespacePath=). None where the table can't be read.
 */
export function addressesElsewhere(listening: readonly string[]): readonly string[] {
  if (orNull(() => readFileSync('/proc/net/tcp', 'utf8')) === null) return [];
  return listening.filter((address) => {
    const [, port] = /^(?!unix:).*:(\d+)$/.exec(address) ?? [];
    return port !== undefined && listeningUsers(Number(port), null).length === 0;
  });
}

/**
 * False for a listening TCP socket of another network namespace than this process's: none of its clients get there. True
 * for any other, and where the tables of proc(5) can't be read.
 */
export function listensHere(descriptor: number): boolean {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
  // ProcSubset=pid hides /proc/net, not this one.
  const [tcp, tcp6] = ['tcp', 'tcp6'].map((name) =>
    orNull(() => readFileSync(`/proc/self/net/${name}`, 'utf8')),
  );
  if (inode === undefined || tcp == null) return true;
  return `${tcp}${tcp6 ?? ''}`
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .some((columns) => columns[3] === listening && columns[9] === inode);
}

function tables(): readonly string[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => orNull(() => readFileSync(path, 'utf8')) ?? '');
}

/** The inodes of the sockets in a table of proc(5) that listen where a server at this host and port would. */
export function listeningInodes(table: string, port: number, host: string | null): readonly string[] {
  return listeningRows(table, port, host).map(({ inode }) => inode);
}

function listeningRows(
  table: string,
  port: number,
  host: string | null,
): readonly { readonly inode: string; readonly uid: number }[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((row) => {
      const columns = row.trim().split(/\s+/);
      const [address = '', local = ''] = columns[1]?.split(':') ?? [];
      const inode = columns[9];
      if (inode === undefined || columns[3] !== listening || Number.parseInt(local, 16) !== port) return [];
      const isMeant = host === null || isInTheWay(addressIn(address), host);
      return isMeant ? [{ inode, uid: Number(columns[7]) }] : [];
    });
}

/** An address of a table of proc(5), which has words of 32 bits in the machine's order. */
export function addressIn(digits: string): string {
  const bytes = Buffer.from(digits, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  return bytes.length === 4 ? bytes.join('.') : (bytes.toString('hex').match(/.{4}/g)?.join(':') ?? '');
}

/** Which addresses a name has is not known here: it may be any. */
function isInTheWay(address: string, host: string): boolean {
  return isIP(host) === 0 || takesIn(address, host) || takesIn(host, address);
}

/** True if a socket at the one address gets what is sent to the other; one at "::" gets IPv4 too (ipv6(7)). */
function takesIn(wide: string, address: string): boolean {
  if (/^[0:]+$/.test(wide)) return true;
  // It also knows an IPv4 address that is mapped into IPv6.
  const taken = new BlockList();
  if (wide === '0.0.0.0') taken.addSubnet(wide, 0, 'ipv4');
  else taken.addAddress(wide, familyOf(wide));
  return taken.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
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

/** The first port that needs no right of its own (ip(7), ip_unprivileged_port_start). */
export function firstUnprivilegedPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    // Before Linux 4.11, or hidden (`ProcSubset=pid`).
    return 1_024;
  }
}
