import { existsSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { askFacts, type FactsAnswer } from '../channels/control/ask-facts.js';
import { addressesElsewhere, portHolders } from '../channels/http/server/port-holder.js';
import { configurationFile } from '../config/directories.js';
import { ConfigurationError, type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import type { Configuration } from '../config/schema.js';
import { namedStoreFile } from '../config/store-table.js';
import { IdentityError } from '../linux/owner.js';
import { ProgramError } from '../manager/program.js';
import {
  parseProperties,
  type Scope,
  ServiceManager,
  ServiceManagerError,
  unitName,
} from '../manager/service-manager.js';
import { StoreError } from '../store/store-error.js';
import type { OfflineStore } from '../store/store-kind.js';
import { booted } from '../systemd/evidence.js';
import { gatherAccess, gatherData } from './facts/files.js';
import { gatherJournal, gatherJournald } from './facts/journal.js';
import { gatherPlatforms } from './facts/platforms.js';
import { gatherNode, gatherUnit, locationsOf, managerPath, storeOf } from './facts/unit.js';
import {
  type ConfigurationFacts,
  type DoctorFacts,
  type Known,
  known,
  type ManagerFacts,
  type PortFacts,
  type UnitFacts,
  unknown,
} from './facts.js';

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

/** From the gateway itself or, when it doesn't run, from what it has left. */
async function gatherRuns(gateway: FactsAnswer, store: Known<OfflineStore>): Promise<DoctorFacts['runs']> {
  if (gateway.outcome === 'told') return known(gateway.facts.runs);
  if (!store.known) return store;
  try {
    return known((await store.value.runs()) ?? []);
  } catch (error) {
    if (error instanceof StoreError || error instanceof IdentityError) return unknown(error.message);
    throw error;
  }
}

/** Gives 0 for none. */
async function mainPidOf(manager: ServiceManager, unit: UnitFacts | null): Promise<number> {
  if (unit === null) return 0;
  try {
    return Number((await manager.show(unit.name, ['MainPID']))['MainPID'] ?? 0);
  } catch (error) {
    // The unit's own facts have it too, from a little before.
    if (error instanceof ServiceManagerError || error instanceof ProgramError) return 0;
    throw error;
  }
}

async function gatherPort(
  manager: ServiceManager,
  unit: UnitFacts | null,
  port: number,
  host: string | null,
  gateway: FactsAnswer,
): Promise<PortFacts> {
  const before = await mainPidOf(manager, unit);
  const holders = portHolders(port, host);
  const listening = gateway.outcome === 'told' ? gateway.facts.listening : [];
  return {
    holders,
    mainPids: [before, await mainPidOf(manager, unit)],
    elsewhere: addressesElsewhere(listening),
  };
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

async function gatherEnvironment(
  manager: ServiceManager,
  { booted, unreachable }: ManagerFacts,
): Promise<DoctorFacts['managerEnvironment']> {
  if (!booted || unreachable !== null) return unknown('the service manager can’t be asked');
  try {
    const { status, stdout, stderr } = await manager.systemctl(['show-environment']);
    return status === 0 ? known(parseProperties(stdout)) : unknown(stderr.trim());
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}

/**
 * Says that the directory of `store.path` is not there, which a unit's sandbox lets no start make. One that this user may
 * not see is for the start to judge.
 */
export function missingStoreDirectory(
  { store }: Pick<Configuration, 'store'>,
  unit: Pick<UnitFacts, 'properties'> | null,
  state: string,
): readonly string[] {
  const file = namedStoreFile(store);
  if (file === null || unit?.properties['ProtectSystem'] !== 'strict' || file.startsWith(`${state}/`))
    return [];
  const directory = dirname(file);
  try {
    if (statSync(directory, { throwIfNoEntry: false }) !== undefined) return [];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return [];
    throw error;
  }
  return [
    `store.path: the directory ${directory} is not there, and the unit may not make it: make it, and give it to the gateway’s user`,
  ];
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
  const {
    settings,
    directories: places,
    problems,
  } = locationsOf(found, {
    scope,
    instance,
    systemdVersion: managerFacts.version,
    home: homedir(),
    environment: process.env,
    uid,
  });
  const managerEnvironment = await gatherEnvironment(manager, managerFacts);
  const inherited = managerEnvironment.known ? managerEnvironment.value : {};
  const environment = settings === null ? process.env : { ...inherited, ...settings.environment };
  let loaded: LoadedConfiguration | null = null;
  let configurationFacts: Known<ConfigurationFacts>;
  const usual = settings?.file ?? { path: configurationFile(places.configuration, instance), named: false };
  const { path: file, named } = configuration === null ? usual : { path: configuration, named: true };
  try {
    loaded = loadConfiguration({ file, required: named, environment });
    const { listen } = loaded.configuration.http;
    configurationFacts = known({
      file: loaded.file,
      problems: missingStoreDirectory(loaded.configuration, found, places.state),
      warnings: loaded.warnings,
      supervisor: loaded.configuration.supervisor,
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
      supervisor: 'auto',
      drain: 0,
      port: null,
      listen: 'what the configuration says',
    });
  }
  const port = configurationFacts.known ? configurationFacts.value.port : null;
  const listen = loaded?.configuration.http.listen;
  const host = listen !== undefined && 'host' in listen ? listen.host : null;
  const name = found?.name ?? unitName(instance);
  const invocation = found?.properties['InvocationID'] ?? '';
  const logNamespace = found?.properties['LogNamespace'] || null;
  const store = storeOf(loaded, places.state);
  const [node, data, journal, journald, gateway, access, platforms] = await Promise.all([
    gatherNode(found?.command ?? [], settings?.environment ?? {}),
    gatherData({
      state: places.state,
      runtime: places.runtime,
      store,
    }),
    gatherJournal({ scope, name, uid, logNamespace }, invocation === '' ? null : invocation),
    gatherJournald(logNamespace),
    askFacts(join(places.runtime, 'control.sock')),
    gatherAccess({
      unit: found,
      isSystem: scope === 'system',
      loaded,
      file,
      environment,
      path: environment['PATH'] ?? managerPath,
      state: places.state,
    }),
    gatherPlatforms(loaded?.configuration.channels ?? {}, environment),
  ]);
  return {
    at: Date.now(),
    scope,
    instance,
    uid,
    user,
    manager: managerFacts,
    unit,
    linger: scope === 'system' ? null : known(existsSync(join('/var/lib/systemd/linger', user))),
    configuration: configurationFacts,
    node,
    places: { ...places, problems },
    data,
    port: port === null ? null : known(await gatherPort(manager, found, port, host, gateway)),
    journal,
    journald,
    runs: await gatherRuns(gateway, store),
    gateway,
    access,
    managerEnvironment,
    platforms,
  };
}

function describeListen(listen: LoadedConfiguration['configuration']['http']['listen']): string {
  if ('port' in listen) return `${listen.host}:${listen.port}`;
  return 'path' in listen ? `unix:${listen.path}` : 'a socket that systemd passes';
}
