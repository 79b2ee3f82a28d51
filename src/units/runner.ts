import { closeSync } from 'node:fs';
import { openRegularFile } from '../linux/files.js';
import { actingAs } from '../linux/owner.js';
import { runProgram } from '../manager/program.js';
import { deniedPart, type FileUser, isInHomes } from './paths.js';

/** The user who runs a gateway. */
export interface Runner {
  readonly name: string;
  /** Null: nobody has that name. */
  readonly ids: FileUser | null;
}

/** The properties of a unit that name its user, as `systemctl show` has them. */
export const runnerProperties = ['User', 'DynamicUser'] as const;

/** Owns nothing yet, and is in no group: each start makes it (systemd.exec(5), DynamicUser=). */
const newcomer: FileUser = { uid: -1, groups: [] };

/** Reads the ids of a user from the user database. Rejects with a ProgramError. */
async function idsOf(name: string): Promise<FileUser | null> {
  const [user, groups] = await Promise.all([
    runProgram('id', ['--user', name]),
    runProgram('id', ['--groups', name]),
  ]);
  if (user.status !== 0 || groups.status !== 0) return null;
  return { uid: Number(user.stdout), groups: groups.stdout.trim().split(' ').map(Number) };
}

/**
 * The user as whom the manager runs a unit. Rejects with a ProgramError.
 *
 * @param properties null: it is no unit of the system, and runs as this process's user
 */
export async function runnerOf(
  properties: Readonly<Partial<Record<(typeof runnerProperties)[number], string>>> | null,
): Promise<Runner> {
  if (properties !== null) {
    const { User = '', DynamicUser = '' } = properties;
    if (DynamicUser === 'yes') return { name: User || 'dynamic', ids: newcomer };
    return User === ''
      ? { name: 'root', ids: { uid: 0, groups: [] } }
      : { name: User, ids: await idsOf(User) };
  }
  const uid = process.getuid?.() ?? 0;
  const groups = [...(process.getgroups?.() ?? []), process.getgid?.() ?? 0];
  return { name: String(uid), ids: { uid, groups } };
}

/**
 * Finds what keeps the user from reading the file: itself, or a directory above it; null: nothing does. Beside the modes,
 * which take in all groups, it tries: access control lists have a say, too. Throws the errors of stat(2).
 */
export function partClosedTo(user: FileUser, path: string): string | null {
  const denied = deniedPart(path, user, 'read');
  if (denied === null || !mayActAs(user.uid)) return denied;
  try {
    actingAs(user.uid, () => closeSync(openRegularFile(path, 'links-followed')));
    return null;
  } catch {
    return denied;
  }
}

/** True if this process is the user, or root. */
export function mayActAs(uid: number): boolean {
  const own = process.geteuid?.();
  return uid >= 0 && (own === 0 || own === uid);
}

/** Advice on a path that is closed to the gateway's user. */
export interface OpeningAdvice {
  readonly text: string;
  /** For root; null: there is none. */
  readonly command: readonly string[] | null;
}

/** Nobody's home is opened to all others. */
export function openingAdvice(denied: string, bits: 'o+r' | 'o+x', subject: string): OpeningAdvice {
  return isInHomes(denied)
    ? { text: `Put ${subject} elsewhere, such as below /opt or /etc, and name it there`, command: null }
    : {
        text: `Let them or their group, or put ${subject} elsewhere:`,
        command: ['chmod', bits, denied],
      };
}
