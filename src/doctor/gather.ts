import { existsSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { askFacts } from '../channels/control/ask-facts.js';
import { portHolder } from '../channels/http/port-holder.js';
import { configurationFile, directories } from '../config/directories.js';
import { ConfigurationError, type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import { ProgramError } from '../manager/program.js';
import type { Scope } from '../manager/scope.js';
import { ServiceManager, ServiceManagerError } from '../manager/service-manager.js';
import { unitName } from '../manager/unit-name.js';
import { booted } from '../systemd/booted.js';
import {
  type ConfigurationFacts,
  type DoctorFacts,
  type Known,
  known,
  type ManagerFacts,
  type UnitFacts,
  type UnitProperties,
  unknown,
} from './facts.js';
import { gatherData } from './gather-data.js';
import { gatherJournal, gatherJournald } from './gather-journal.js';
import { gatherNode } from './gather-program.js';
import { gatherUnit } from './gather-unit.js';
import { environmentOf, environmentOfFile } from './unit-environment.js';

export interface DoctorTarget {
  readonly scope: Scope;
  readonly instance: string | null;
  /** The configuration file that was named; null: the usual one. */
  readonly configuration: string | null;
}

async function gatherManager(manager: ServiceManager): Promise<ManagerFacts> {
  if (!existsSync('/run/systemd/system')) return { booted: false, version: null, unreachable: null };
  try {
    const version = await manager.version();
    await manager.showManager(['Version']);
    return { booted: booted(), version, unreachable: null };
  } catch (error) {
    if (error instanceof ServiceManagerError)
      return { booted: true, version: null, unreachable: error.detail };
    if (error instanceof ProgramError) return { booted: true, version: null, unreachable: error.message };
    throw error;
  }
}

/** The environment that the unit gives the gateway, as far as this user can read it. */
function environmentOfUnit(properties: UnitProperties): Record<string, string> {
  const fromFiles = (properties['EnvironmentFiles'] ?? '').split('\n').map((line) => {
    const path = line.replace(/ \(ignore_errors=(yes|no)\)$/, '');
    try {
      return path === '' ? {} : environmentOfFile(readFileSync(path, 'utf8'));
    } catch (error) {
      // That it isn't there or not for us to read is for systemd to complain of.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return {};
    }
  });
  return Object.assign(environmentOf(properties['Environment'] ?? ''), ...fromFiles);
}

function firstDirectory(property: string | undefined): string | null {
  const [first = ''] = (property ?? '').split(' ');
  const name = first.split(':')[0] ?? '';
  return name === '' ? null : name;
}

/** Where the unit's own directories are, systemd.exec(5). */
function directoryVariables(
  scope: Scope,
  unit: UnitFacts | null,
  home: string,
  version: number | null,
): Record<string, string> {
  if (unit === null) return {};
  const { properties } = unit;
  const runtime =
    scope === 'system' ? '/run' : (process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.()}`);
  const configuration = scope === 'system' ? '/etc' : (process.env.XDG_CONFIG_HOME ?? join(home, '.config'));
  // A user manager before 254 keeps state beside the configuration.
  const userState =
    version !== null && version < 254
      ? configuration
      : (process.env.XDG_STATE_HOME ?? join(home, '.local/state'));
  const roots = {
    StateDirectory: ['STATE_DIRECTORY', scope === 'system' ? '/var/lib' : userState],
    RuntimeDirectory: ['RUNTIME_DIRECTORY', runtime],
    ConfigurationDirectory: ['CONFIGURATION_DIRECTORY', configuration],
  } as const;
  return Object.fromEntries(
    Object.entries(roots).flatMap(([property, [variable, root]]) => {
      const name = firstDirectory(properties[property]);
      return name === null ? [] : [[variable, join(root, name)]];
    }),
  );
}

function portOf(listen: LoadedConfiguration['configuration']['http']['listen']): number | null {
  return 'port' in listen ? Number(listen.port) : null;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in passwd(5) has a number only.
    return String(process.getuid?.() ?? '');
  }
}

/** Looks at everything; each call to the outside is bounded in time. Changes nothing. */
export async function gather({ scope, instance, configuration }: DoctorTarget): Promise<DoctorFacts> {
  const manager = new ServiceManager(scope);
  const uid = process.getuid?.() ?? -1;
  const user = userName();
  const managerFacts = await gatherManager(manager);
  const unit =
    managerFacts.booted && managerFacts.unreachable === null
      ? await gatherUnit(manager, instance)
      : unknown('the service manager can’t be asked');
  const found = unit.known ? unit.value : null;
  const ofUnit = found === null ? {} : environmentOfUnit(found.properties);
  const environment = {
    ...(found === null ? process.env : { XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR }),
    ...ofUnit,
    ...directoryVariables(scope, found, homedir(), managerFacts.version),
  };
  const places = directories({ scope, instance, environment, home: homedir() });
  let loaded: LoadedConfiguration | null = null;
  let configurationFacts: Known<ConfigurationFacts>;
  const named = configuration ?? namedFile(found?.command ?? []);
  const file = named ?? configurationFile(places.configuration, instance);
  try {
    loaded = loadConfiguration({ file, required: named !== null, environment });
    const { listen } = loaded.configuration.http;
    configurationFacts = known({
      file: loaded.file,
      problems: [],
      warnings: loaded.warnings,
      drain: loaded.configuration.stop.drain,
      port: portOf(listen),
      listen: describeListen(listen),
    });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    configurationFacts = known({
      file,
      problems: error.problems.map(({ where, message }) => `${where}: ${message}`),
      warnings: [],
      drain: 0,
      port: null,
      listen: 'what the configuration says',
    });
  }
  const port = configurationFacts.known ? configurationFacts.value.port : null;
  const name = found?.name ?? unitName(instance);
  const invocation = found?.properties['InvocationID'] ?? '';
  const [node, data, journal, journald, gateway] = await Promise.all([
    gatherNode(found?.command ?? [], ofUnit),
    gatherData({
      state: places.state,
      runtime: places.runtime,
      database: loaded?.configuration.store.path ?? join(places.state, 'gateway.db'),
    }),
    gatherJournal(scope, name, uid, invocation === '' ? null : invocation),
    gatherJournald(),
    askFacts(join(places.runtime, 'control.sock')),
  ]);
  return {
    scope,
    instance,
    uid,
    user,
    monotonic: Number(process.hrtime.bigint() / 1_000_000n),
    manager: managerFacts,
    unit,
    linger: scope === 'system' ? null : known(existsSync(join('/var/lib/systemd/linger', user))),
    configuration: configurationFacts,
    node,
    data,
    port: port === null ? null : known({ holder: portHolder(port) }),
    journal,
    journald,
    gateway,
  };
}

/** The file that ExecStart= names with --config. */
function namedFile(command: readonly string[]): string | null {
  const at = command.findIndex((word) => word === '--config' || word.startsWith('--config='));
  const word = command[at];
  if (word === undefined) return null;
  return word === '--config' ? (command[at + 1] ?? null) : word.slice('--config='.length);
}

function describeListen(listen: LoadedConfiguration['configuration']['http']['listen']): string {
  if ('port' in listen) return `${listen.host}:${listen.port}`;
  return 'path' in listen ? `unix:${listen.path}` : 'a socket that systemd passes';
}
