import { runProgram } from './program.js';

/**
 * Looks past the users of units with DynamicUser= (systemd.exec(5)): while such a unit runs, its user seems to be there,
 * and systemd-sysusers would make none of that name.
 */
const withoutDynamicUsers = { SYSTEMD_NSS_DYNAMIC_BYPASS: '1' };

/** True if a user of that name exists in the user database. Rejects with a ProgramError. */
export async function userExists(name: string): Promise<boolean> {
  const { status } = await runProgram('getent', ['passwd', name], { environment: withoutDynamicUsers });
  return status === 0;
}

/** Has systemd-sysusers(8) make what a file of sysusers.d(5) declares; gives what it complains of, or null. */
export async function makeUsers(file: string): Promise<string | null> {
  const { status, stderr } = await runProgram('systemd-sysusers', [file], {
    environment: withoutDynamicUsers,
    timeout: 60_000,
  });
  return status === 0 ? null : stderr.trim();
}
