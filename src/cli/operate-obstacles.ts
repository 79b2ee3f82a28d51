import { join } from 'node:path';
import { ProgramError } from '../manager/program.js';
import { userExists } from '../manager/system-user.js';
import { unitName } from '../manager/unit-name.js';
import { isLeftoverLink } from '../systemd/leftover-link.js';
import { isUserName, unitUser } from '../units/unit-user.js';
import { commandFor, systemctlFor, type Target } from './operate-find.js';
import type { UnitFacts } from './operate-unit.js';

async function isMissing(user: string): Promise<boolean> {
  try {
    return !(await userExists(user));
  } catch (error) {
    // Nobody can be asked; then systemd's own words are all there is.
    if (error instanceof ProgramError) return false;
    throw error;
  }
}

/** Names the command that makes a missing user. */
function aboutUser(user: string, unit: UnitFacts, target: Target): string {
  const what = `The user ${user}, as which ${unit.name} runs, does not exist.`;
  const install = commandFor('install', target, true);
  if (user === unitUser(target.instance)) return `${what} To make it: ${install}`;
  // Such a name is that of an instance of the template; the unit that install writes has another.
  if (unit.name !== unitName(target.instance) && !isUserName(user)) {
    const disable = systemctlFor(`disable --now ${unit.name}`, unit.scope);
    return `${what} systemd-sysusers makes none of such a name. For a unit with another one: ${disable} && ${install}`;
  }
  return `${what} Make it, or have the unit run as another: ${commandFor('install --run-as USER', target, true)}`;
}

/** The obstacles that keep systemd from starting a system unit: a sentence for each, with the command that mends it. */
export async function obstaclesTo(unit: UnitFacts, target: Target): Promise<readonly string[]> {
  const { scope, user, dynamicUser, runtimeDirectory } = unit;
  // The user and the link of a unit with DynamicUser= are made at its start.
  if (scope !== 'system' || dynamicUser) return [];
  const found: string[] = [];
  if (user !== null && (await isMissing(user))) found.push(aboutUser(user, unit, { ...target, scope }));
  const path = runtimeDirectory === null ? null : join('/run', runtimeDirectory);
  if (path !== null && isLeftoverLink(path)) {
    const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
    found.push(
      `${path} is a link that a unit with DynamicUser= has left, and in the place of the runtime directory. To remove it: ${sudo}rm ${path}`,
    );
  }
  return found;
}
