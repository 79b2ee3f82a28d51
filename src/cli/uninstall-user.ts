import { existsSync, readFileSync, rmSync } from 'node:fs';
import { userExists } from '../manager/system-user.js';
import type { UnitTarget } from '../units/plan.js';
import { judge } from '../units/seal.js';
import { declarationPath, unitUser } from '../units/unit-user.js';

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
