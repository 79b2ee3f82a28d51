import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadedConfiguration } from '../../config/load.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import { deniedPart, type FileUser } from '../../units/paths.js';
import { type AccessFacts, type Known, known, type UnitFacts, unknown } from '../facts.js';

/** Reads the ids of a user from the user database. Rejects with a ProgramError. */
async function idsOf(name: string): Promise<FileUser | null> {
  const [user, groups] = await Promise.all([
    runProgram('id', ['--user', name]),
    runProgram('id', ['--groups', name]),
  ]);
  if (user.status !== 0 || groups.status !== 0) return null;
  return { uid: Number(user.stdout), groups: groups.stdout.trim().split(' ').map(Number) };
}

/** The user that runs the gateway; null if nobody has that name. */
async function userOf(unit: UnitFacts | null, isSystem: boolean): Promise<[string, FileUser | null]> {
  if (unit !== null && isSystem) {
    const { User = '', DynamicUser = '' } = unit.properties;
    // A user that each start makes owns nothing yet, and is in no group.
    if (DynamicUser === 'yes') return [User || 'dynamic', { uid: -1, groups: [] }];
    return User === '' ? ['root', { uid: 0, groups: [] }] : [User, await idsOf(User)];
  }
  const uid = process.getuid?.() ?? 0;
  return [String(uid), { uid, groups: [...(process.getgroups?.() ?? []), process.getgid?.() ?? 0] }];
}

/** Looks for a program as execvp(3) does; null if no directory of the path has it. */
function programIn(name: string, path: string): string | null {
  if (name.includes('/')) return existsSync(name) ? name : null;
  const found = path.split(':').map((directory) => join(directory, name));
  return found.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true) ?? null;
}

/**
 * Looks whether the user that runs the gateway may run the agent's program and read the configuration.
 * @param path the PATH of the agent
 */
export async function gatherAccess(
  unit: UnitFacts | null,
  isSystem: boolean,
  loaded: LoadedConfiguration | null,
  file: string,
  path: string,
): Promise<Known<AccessFacts>> {
  try {
    const [name, user] = await userOf(unit, isSystem);
    if (user === null) return unknown(`the user ${name} does not exist`);
    const agent = loaded?.configuration.agent;
    const word = agent !== undefined && 'command' in agent ? agent.command?.[0] : undefined;
    // A path below the session's directory is made by the session.
    const isChecked = word !== undefined && (word.startsWith('/') || !word.includes('/'));
    const program = isChecked ? programIn(word, path) : null;
    return known({
      user: name,
      configuration: existsSync(file) ? deniedPart(file, user, 'read') : null,
      program: isChecked
        ? {
            name: word,
            path: program,
            denied: program === null ? null : deniedPart(program, user, 'execute'),
          }
        : null,
    });
  } catch (error) {
    if (error instanceof ProgramError || (error as NodeJS.ErrnoException).code !== undefined)
      return unknown((error as Error).message);
    throw error;
  }
}
