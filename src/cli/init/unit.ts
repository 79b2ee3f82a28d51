import { chownSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { ProgramError, runProgram } from '../../manager/program.js';
import { ServiceManager } from '../../manager/service-manager.js';
import { judge } from '../../units/unit-text.js';
import { locateGateway } from '../client/locate.js';
import { readUnit } from '../operate/unit.js';
import type { ParsedCommand } from '../usage.js';

/** The unit that is there already, and reads the configuration. */
export interface PresentUnit {
  readonly name: string;
  readonly isUp: boolean;
  /** User=; null: the manager's own. */
  readonly user: string | null;
  /** True: install wrote its file, and may write it anew. */
  readonly isInstalled: boolean;
}

/** Null: there is none, or it reads another configuration than the one at the path. */
export async function findPresentUnit(parsed: ParsedCommand, path: string): Promise<PresentUnit | null> {
  const { config: _, ...values } = parsed.values;
  const { unit: name, file, scope } = await locateGateway({ ...parsed, values });
  if (name === null || file.path !== resolve(path)) return null;
  const unit = await readUnit(new ServiceManager(scope), name);
  return {
    name,
    isUp: unit.activeState !== 'inactive' && unit.activeState !== 'failed',
    user: unit.user,
    isInstalled: unit.path !== null && judge(readFileSync(unit.path, 'utf8')) === 'own',
  };
}

/** Gives a secret of root's to the user whose gateway reads it. False: it is somebody else's, and stays so. */
export async function giveSecret(path: string, user: string): Promise<boolean> {
  if (!isRoots(path)) return false;
  chownSync(path, await idOf(user, '-u'), await idOf(user, '-g'));
  return true;
}

/** True for a file of root's, which no other user's gateway can read. */
export function isRoots(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.uid === 0;
}

async function idOf(user: string, option: string): Promise<number> {
  const { status, stdout, stderr } = await runProgram('id', [option, user]);
  if (status !== 0) throw new ProgramError('id', 'failed-to-start', stderr.trim());
  return Number(stdout.trim());
}
