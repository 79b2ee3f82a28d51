import { createHash } from 'node:crypto';

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

/** Where an administrator declares users of the system; a package's file of the same name is hidden by it. */
export function declarationPath(instance: string | null): string {
  return `/etc/sysusers.d/sd-gateway${instance === null ? '' : `-${instance}`}.conf`;
}

/** The declaration that a package brings. */
export const packagedDeclaration = '/usr/lib/sysusers.d/sd-gateway.conf';
