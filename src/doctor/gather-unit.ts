import { ProgramError } from '../manager/program.js';
import { type ServiceManager, ServiceManagerError } from '../manager/service-manager.js';
import { userExists } from '../manager/system-user.js';
import { unitNames } from '../manager/unit-name.js';
import { driftHere } from '../units/drift-here.js';
import { settingsProperties } from '../units/unit-settings.js';
import { type Known, known, type UnitFacts, type UnitProperties, unknown } from './facts.js';

const properties = [
  'LoadState',
  'LoadError',
  'UnitFileState',
  'FragmentPath',
  'DropInPaths',
  'NeedDaemonReload',
  'ActiveState',
  'SubState',
  'Result',
  'MainPID',
  'NRestarts',
  'InvocationID',
  'Type',
  'NotifyAccess',
  'User',
  'DynamicUser',
  ...settingsProperties,
  'TimeoutStartUSec',
  'TimeoutStopUSec',
  'WatchdogUSec',
  'WatchdogTimestampMonotonic',
] as const;

/**
 * The program of ExecStart= and its words, from systemctl's notation. Quotes are lost in the words, see
 * `namedConfiguration`; the path of the program is whole.
 */
export function commandOf(execStart: string): readonly string[] {
  const match = /path=(.*?) ; argv\[\]=(.*?) ; ignore_errors=/.exec(execStart);
  if (match === null) return [];
  const [, program = '', words = ''] = match;
  // With "@" the first word is another name, and the program is by its path alone.
  const rest = `${words} `.startsWith(`${program} `)
    ? words.slice(program.length)
    : words.replace(/^[^ ]*/, '');
  return [program, ...rest.split(' ').filter((word) => word !== '')];
}

async function complaintsOf(
  manager: ServiceManager,
  name: string,
  path: string,
): Promise<Known<readonly string[]>> {
  try {
    const { stdout, stderr } = await manager.program('systemd-analyze', ['--man=no', 'verify', path], {
      timeout: 20_000,
    });
    // It loads what the unit depends on too, and complains of that.
    const lines = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line.includes(name) || line.includes(path));
    return known(lines);
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}

async function userOf({ User = '', DynamicUser }: UnitProperties): Promise<UnitFacts['user']> {
  if (User === '' || DynamicUser === 'yes') return known(null);
  try {
    return known({ name: User, exists: await userExists(User) });
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}

/** The instance's own unit or the template's; null: the manager knows none. */
export async function gatherUnit(
  manager: ServiceManager,
  instance: string | null,
): Promise<Known<UnitFacts | null>> {
  try {
    for (const name of unitNames(instance)) {
      // The checks below take up to half a minute, in which the gateway goes on with its signs of life.
      const askedAt = Number(process.hrtime.bigint() / 1_000_000n);
      const shown = await manager.show(name, properties);
      const { LoadState = 'not-found', FragmentPath = '', ExecStart = '' } = shown;
      if (LoadState === 'not-found') continue;
      // The template is there for each name; an instance is one that was ever started or enabled.
      return known({
        name,
        properties: shown,
        askedAt,
        command: commandOf(ExecStart),
        complaints: LoadState === 'loaded' ? await complaintsOf(manager, name, FragmentPath) : known([]),
        drift: await driftHere(manager, name, instance),
        user: await userOf(shown),
      });
    }
    return known(null);
  } catch (error) {
    if (error instanceof ServiceManagerError || error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}
