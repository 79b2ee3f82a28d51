import { existsSync, readFileSync, rmSync } from 'node:fs';
import type { ServiceManager } from '../../manager/service-manager.js';
import type { UnitTarget } from '../../units/plan.js';
import { judge, seal, type UnitChoices } from '../../units/unit-text.js';
import {
  declarationPath,
  packagedDeclaration,
  unitUser,
  userDeclaration,
  userExists,
} from '../../units/unit-user.js';

/** The user that the system unit of an instance has for itself. */
export interface OwnUser {
  readonly name: string;
  readonly exists: boolean;
  /** The file that declares it (sysusers.d(5)). */
  readonly path: string;
  /** The text to be written there; null if the file stays as it is. */
  readonly declaration: string | null;
}

/** Gives null if the operator chose a user, or the unit is not the system's. Rejects with a ProgramError. */
export async function findOwnUser(target: UnitTarget, choices: UnitChoices): Promise<OwnUser | null> {
  const { scope, instance } = target;
  if (scope !== 'system' || choices.runAs !== null) return null;
  const name = unitUser(instance);
  const exists = await userExists(name);
  if (instance === null && existsSync(packagedDeclaration)) {
    return { name, exists, path: packagedDeclaration, declaration: null };
  }
  const path = declarationPath(instance);
  const former = existsSync(path) ? readFileSync(path, 'utf8') : null;
  const text = seal(userDeclaration(instance));
  // One of an administrator's own, or edited by them, stays.
  const isOurs = former === null || judge(former) === 'own';
  return { name, exists, path, declaration: isOurs && former !== text ? text : null };
}

/**
 * True if a unit that install did not write runs as the user and lacks nothing else. Then the user alone is made.
 * Throws a ServiceManagerError, or a ProgramError.
 */
export async function lacksUser(
  manager: ServiceManager,
  unit: string,
  user: OwnUser | null,
): Promise<boolean> {
  if (user === null || user.exists) return false;
  const { LoadState, User } = await manager.show(unit, ['LoadState', 'User']);
  return LoadState === 'loaded' && User === user.name;
}

/** The outcome for the file that declares the instance's user. */
export interface DeclarationRemoval {
  readonly path: string;
  /** False: it is not as install wrote it, and stays. */
  readonly removed: boolean;
}

/** Removes the file, so that no boot makes the user again; null: there is none. */
export function removeDeclaration({ scope, instance }: UnitTarget): DeclarationRemoval | null {
  const path = declarationPath(instance);
  if (scope !== 'system' || !existsSync(path)) return null;
  const removed = judge(readFileSync(path, 'utf8')) === 'own';
  if (removed) rmSync(path);
  return { path, removed };
}

/**
 * The user who stays, as with Debian's packages: what an agent has left elsewhere would be the next user's who gets the
 * UID. Null: there is none. Rejects with a ProgramError.
 */
export async function userLeft({ scope, instance }: UnitTarget): Promise<string | null> {
  const name = unitUser(instance);
  return scope === 'system' && (await userExists(name)) ? name : null;
}
