import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../manager/program.js';
import { type UnitOwner, unitPath } from './load-path.js';
import { parseUnit, valueIn } from './unit-text.js';

/** A name that systemd-sysusers(8) makes a user of: utmp(5) has room for 31 characters (sysusers.d(5)). */
export function isUserName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_-]{0,30}$/.test(name);
}

/**
 * The user of an instance's system unit, where no other was chosen; null: the instance without a name. No two
 * instances have the same. A long name, or one with a dot, has a short form, which no other name can be.
 */
export function unitUser(instance: string | null): string {
  if (instance === null) return 'sd-gateway';
  const name = `sd-gateway-${instance}`;
  if (isUserName(name)) return name;
  return `sd-gateway_${createHash('sha256').update(instance).digest('hex').slice(0, 16)}`;
}

/** The line of sysusers.d(5) that declares the user. */
export function userDeclaration(instance: string | null): string {
  const description = `Message gateway for agents${instance === null ? '' : `, instance ${instance}`}`;
  return `u ${unitUser(instance)} - "${description}"\n`;
}

/** The file in which an administrator declares the user; it hides a package's file of the same name. */
export function declarationPath(instance: string | null): string {
  return `/etc/sysusers.d/sd-gateway${instance === null ? '' : `-${instance}`}.conf`;
}

/** The declaration that a package brings. */
export const packagedDeclaration = '/usr/lib/sysusers.d/sd-gateway.conf';

/**
 * The file of another gateway's unit that runs as the user; null: there is none. Drop-ins and the instances of a
 * template are not looked at.
 * @param unit whose user it is to be
 */
export function otherUnitOf(owner: UnitOwner, user: string, unit: string): string | null {
  // A file hides those of its name in the later directories.
  const seen = new Set([unit]);
  for (const directory of unitPath(owner).filter(existsSync)) {
    for (const name of readdirSync(directory).filter((entry) =>
      /^sd-gateway(-[^:]*)?\.service$/.test(entry),
    )) {
      if (seen.has(name)) continue;
      seen.add(name);
      const path = join(directory, name);
      // A mask, or a link that leads nowhere, runs nothing.
      if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
      if (valueIn(parseUnit(readFileSync(path, 'utf8')), 'User') === user) return path;
    }
  }
  return null;
}

/**
 * Looks past the users of units with DynamicUser= (systemd.exec(5)): while such a unit runs, its user seems to be there,
 * and systemd-sysusers would make none of that name.
 */
const withoutDynamicUsers = { SYSTEMD_NSS_DYNAMIC_BYPASS: '1' };

/** True if a user of that name exists in the user database. Rejects with a ProgramError. */
export async function userExists(name: string): Promise<boolean> {
  return (await userIdOf(name)) !== null;
}

/** The UID of a user by name or number, passwd(5); null: there is no such user. Rejects with a ProgramError. */
export async function userIdOf(name: string): Promise<number | null> {
  const asked = ['passwd', name];
  const { status, stdout } = await runProgram('getent', asked, { environment: withoutDynamicUsers });
  return status === 0 ? Number(stdout.split(':')[2]) : null;
}

/** Has systemd-sysusers(8) make what a file of sysusers.d(5) declares; gives what it complains of, or null. */
export async function makeUsers(file: string): Promise<string | null> {
  const { status, stderr } = await runProgram('systemd-sysusers', [file], {
    environment: withoutDynamicUsers,
    timeout: 60_000,
  });
  return status === 0 ? null : stderr.trim();
}
