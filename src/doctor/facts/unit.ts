import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { delegationProperties } from '../../agents/delegation.js';
import { type Directories, directories } from '../../config/directories.js';
import { ConfigurationError, type LoadedConfiguration } from '../../config/load.js';
import { storeTable } from '../../config/store-table.js';
import { IdentityError } from '../../linux/owner.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import { tellQueuedJob } from '../../manager/queued-job.js';
import { type ServiceManager, ServiceManagerError, unitNames } from '../../manager/service-manager.js';
import { offlineStore } from '../../store/create-store.js';
import type { OfflineStore } from '../../store/store-kind.js';
import { driftHere } from '../../units/drift.js';
import { hidingProperties } from '../../units/paths.js';
import { lineOf, placedComplaint, readUnitFile, startObstacles } from '../../units/start-obstacles.js';
import {
  settingsProperties,
  type UnitSettings,
  type UnitSettingsOptions,
  unitSettings,
} from '../../units/unit-settings.js';
import { userIdOf } from '../../units/unit-user.js';
import { type Known, known, type NodeFacts, type UnitFacts, type UnitProperties, unknown } from '../facts.js';

const properties = [
  'LoadState',
  'LoadError',
  'UnitFileState',
  'FragmentPath',
  'DropInPaths',
  'NeedDaemonReload',
  'ActiveState',
  'SubState',
  'ActiveEnterTimestampMonotonic',
  'StatusText',
  'Result',
  'Job',
  'MainPID',
  'NRestarts',
  'FreezerState',
  'InvocationID',
  'Type',
  'NotifyAccess',
  'StateDirectoryMode',
  'RuntimeDirectoryMode',
  'KillMode',
  'KillSignal',
  'RestartKillSignal',
  'RuntimeMaxUSec',
  'User',
  'DynamicUser',
  'LogNamespace',
  'StandardOutput',
  'StandardError',
  ...settingsProperties,
  ...hidingProperties,
  'ProtectSystem',
  'TimeoutStartUSec',
  'TimeoutStopUSec',
  'WatchdogUSec',
  'WatchdogTimestampMonotonic',
  ...delegationProperties,
];

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
  dropIns: readonly string[],
): Promise<Known<readonly string[]>> {
  try {
    const { stdout, stderr } = await manager.program('systemd-analyze', ['--man=no', 'verify', path], {
      timeout: 20_000,
    });
    // It loads what the unit depends on too, and complains of that.
    const lines = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => [name, path, ...dropIns].some((part) => line.includes(part)));
    const files = [path, ...dropIns].flatMap(readUnitFile);
    return known(lines.map((line) => placedComplaint(line, files)));
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}

async function userOf(
  { User = '', DynamicUser }: UnitProperties,
  paths: readonly string[],
  dropIns: readonly string[],
): Promise<UnitFacts['user']> {
  if (User === '' || DynamicUser === 'yes') return known(null);
  try {
    const uid = await userIdOf(User);
    const line = uid !== null ? null : lineOf(paths, 'User');
    const dropIn = line !== null && dropIns.includes(line.file) ? line : null;
    return known({ name: User, uid, exists: uid !== null, dropIn });
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
      const { LoadState = 'not-found', FragmentPath = '', ExecStart = '', MainPID = '0' } = shown;
      const dropIns = (shown['DropInPaths'] ?? '').split(' ').filter((dropIn) => dropIn !== '');
      const paths = [FragmentPath, ...dropIns].filter((path) => path !== '');
      // The manager keeps a unit whose file is gone for as long as it runs.
      if (LoadState === 'not-found' && Number(MainPID) === 0) continue;
      // The template is there for each name; an instance is one that was ever started or enabled.
      return known({
        name,
        properties: shown,
        askedAt,
        command: commandOf(ExecStart),
        complaints:
          LoadState === 'loaded' ? await complaintsOf(manager, name, FragmentPath, dropIns) : known([]),
        obstacles: startObstacles(paths),
        job: Number(shown['Job'] ?? 0) > 0 ? await tellQueuedJob(manager, name) : null,
        drift: await driftHere(manager, name, instance),
        user: await userOf(shown, paths, dropIns),
      });
    }
    return known(null);
  } catch (error) {
    if (error instanceof ServiceManagerError || error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}

/** Finds the store of the configuration, or the usual one if that can't be read. */
export function storeOf(loaded: LoadedConfiguration | null, state: string): Known<OfflineStore> {
  try {
    return known(offlineStore(loaded?.configuration.store ?? storeTable.parse({}), state));
  } catch (error) {
    const isExpected = error instanceof ConfigurationError || error instanceof IdentityError;
    if (!isExpected && (error as NodeJS.ErrnoException).code === undefined) throw error;
    return unknown((error as Error).message);
  }
}

export interface UnitLocations {
  readonly settings: UnitSettings | null;
  readonly directories: Directories;
  readonly problems: readonly string[];
}

const directoryVariables = ['STATE_DIRECTORY', 'RUNTIME_DIRECTORY', 'CONFIGURATION_DIRECTORY'];
const directoryProperties = ['StateDirectory', 'RuntimeDirectory', 'ConfigurationDirectory'];

function without<Value>(
  table: Readonly<Record<string, Value>>,
  names: readonly string[],
): Record<string, Value> {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name)));
}

/** Reads the unit or, without one, this environment. If several directories leave it open which is ours, gives the usual ones. */
export function locationsOf(unit: UnitFacts | null, options: UnitSettingsOptions): UnitLocations {
  const { scope, instance, home, environment } = options;
  const find = (properties: UnitProperties | null, variables: NodeJS.ProcessEnv) => {
    const settings = properties === null ? null : unitSettings(properties, options);
    const own = settings?.directories ?? directories({ scope, instance, environment: variables, home });
    return { settings, directories: own };
  };
  const properties = unit?.properties ?? null;
  try {
    return { ...find(properties, environment), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const usual = properties === null ? null : without(properties, directoryProperties);
    return {
      ...find(usual, without(environment, directoryVariables)),
      problems: error.problems.map(({ where, message }) => `${where}: ${message}`),
    };
  }
}

/** A manager's search path for programs, systemd.exec(5): $PATH. */
export const managerPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Finds the Node.js that ExecStart= runs the gateway with, and what loads in it. */
export async function gatherNode(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Known<NodeFacts>> {
  const named = command.find((word) => /^node(js)?\d*$/.test(basename(word)));
  const path = environment['PATH'] ?? managerPath;
  try {
    const { status, stdout, stderr } = await runProgram(
      '/usr/bin/env',
      [
        `PATH=${path}`,
        named ?? 'node',
        // Not in this Node.js, which may be another one.
        fileURLToPath(new URL('./node-probe.js', import.meta.url)),
      ],
      { timeout: 20_000 },
    );
    if (status !== 0) return unknown(stderr.trim().split('\n')[0] ?? `it ended with ${status}`);
    return known(JSON.parse(stdout) as NodeFacts);
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}
