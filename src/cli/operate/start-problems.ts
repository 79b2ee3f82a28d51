import { accessSync, constants, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { askFacts } from '../../channels/control/ask-facts.js';
import {
  describeFailure,
  expectFreePath,
  ListenError,
  listen,
  nameOf,
} from '../../channels/http/server/listen.js';
import { firstUnprivilegedPort, isManager, portHolders } from '../../channels/http/server/port-holder.js';
import { ConfigurationError, type ConfigurationProblem } from '../../config/load.js';
import type { ListenAddress } from '../../config/values.js';
import { parseWebhookSecrets } from '../../gateway/delivery/webhook/webhook-request.js';
import { readSecret, SecretError, tokenForm } from '../../gateway/start/secrets.js';
import { asOwnerOf, IdentityError } from '../../linux/owner.js';
import { ServiceManager } from '../../manager/service-manager.js';
import { serviceOf } from '../../systemd/evidence.js';
import { type Runner, runnerOf } from '../../units/runner.js';
import { credentialSources } from '../../units/start-obstacles.js';
import { credentialsOf } from '../client/access.js';
import { channelSecretProblems } from '../client/channel-secrets.js';
import { closedConfiguration } from '../client/closed-configuration.js';
import {
  configurationAt,
  type GatewayLocation,
  instanceOf,
  locateGateway,
  scopeOf,
} from '../client/locate.js';
import { memoryMaxProblems } from '../client/memory-max.js';
import { storePlaceProblem } from '../client/store-place.js';
import { unitRunner } from '../client/unit-runner.js';
import type { ParsedCommand } from '../usage.js';
import { obstaclesTo } from './failure-report.js';
import { systemctlFor } from './find.js';
import type { UnitState } from './unit.js';

/** The lines that refuse a restart from which the gateway would not come back; none: it would, as far as this user can tell. */
export async function restartObjections(parsed: ParsedCommand, unit: UnitState): Promise<readonly string[]> {
  const { name, scope, needsDaemonReload } = unit;
  // systemd goes by the files as it has read them.
  const obstacles = needsDaemonReload
    ? []
    : await obstaclesTo(unit, { scope: scopeOf(parsed), instance: instanceOf(parsed) });
  const problems = [...obstacles, ...(await startProblems(parsed))];
  if (problems.length === 0) return [];
  return [
    'the gateway would not come back. Nothing was restarted.',
    ...problems.map((problem) => `  ${problem.trim()}`),
    `  To restart it all the same: ${systemctlFor(`restart ${name}`, scope)}`,
  ];
}

/**
 * Says what the start of the unit's gateway refuses, or waits for. A line each, with what to do. None where this user can't
 * tell: a unit of the system may have files that only root reads.
 *
 * @param isUnitNew true: its file is written anew first, which gives it the right to its store
 * @param runAs the user that it gets then; null: it keeps its own
 */
export async function startProblems(
  parsed: ParsedCommand,
  { isUnitNew = false, runAs = null }: { readonly isUnitNew?: boolean; readonly runAs?: string | null } = {},
): Promise<readonly string[]> {
  if (scopeOf(parsed) === 'system' && process.getuid?.() !== 0) return [];
  try {
    const location = await locateGateway(parsed);
    const { configuration } = configurationAt(location);
    const runner = runAs === null ? await unitRunner(location) : await runnerOf({ User: runAs });
    const problems = [
      ...closedConfiguration(location, runner),
      ...(await memoryMaxProblems(location, configuration.agents)),
    ];
    const store = isUnitNew ? null : await storePlaceProblem(location, configuration, instanceOf(parsed));
    const required = Object.entries(configuration.channels).filter(([, table]) => table.required);
    return [
      ...problems.map(lineOf),
      ...(store === null ? [] : [store]),
      ...(await secretProblems(location)),
      ...required.flatMap(([name, table]) => channelSecretProblems(name, table, runner, location.hiding)),
      ...(await addressProblems(location, configuration.http.listen, runner)),
    ];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(lineOf);
  }
}

function lineOf({ where, message }: ConfigurationProblem): string {
  return `${where}: ${message}`;
}

/** The gateway's own secrets: the unit's credentials or, without them, the files in its state directory. */
async function secretProblems({ directories, unit, scope }: GatewayLocation): Promise<readonly string[]> {
  const sources =
    unit === null ? new Map<string, string>() : await sourcesOf(new ServiceManager(scope), unit);
  const own = [
    { name: 'token', form: tokenForm, isGiven: credentialsOf(unit).length > 0 },
    { name: 'webhook-secret', isGiven: false },
  ];
  return own.flatMap(({ isGiven, ...options }) => {
    const source = sources.get(options.name);
    // The running gateway's own copy of a credential says nothing about the next one.
    if (source === undefined && isGiven) return [];
    if (source !== undefined && !isRegularFile(source)) return [];
    const path = source ?? join(directories.state, options.name);
    const kind = source === undefined ? 'state' : 'credential';
    try {
      const read = (reachable: string) => readSecret(path, kind, options, reachable);
      const value = source === undefined ? asOwnerOf(path, read) : read(path);
      if (value !== null && options.name === 'webhook-secret') parseWebhookSecrets(value);
      return [];
    } catch (error) {
      if (error instanceof SecretError) return [withPlace(error.message, path)];
      if (error instanceof IdentityError || (error as NodeJS.ErrnoException).code !== undefined) return [];
      throw error;
    }
  });
}

async function sourcesOf(manager: ServiceManager, unit: string): Promise<ReadonlyMap<string, string>> {
  const { FragmentPath = '', DropInPaths = '' } = await manager.show(unit, ['FragmentPath', 'DropInPaths']);
  return credentialSources([FragmentPath, ...DropInPaths.split(' ')].filter((path) => path !== ''));
}

/** False for one that this user can't see: systemd reads it. A socket has another secret for each who asks. */
function isRegularFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}

function withPlace(message: string, path: string): string {
  return message.includes(path) ? message : `${path}: ${message}`;
}

/** Properties of a unit that say where it may listen, as `systemctl show` has them. */
const listenProperties = [
  'MainPID',
  'TriggeredBy',
  'AmbientCapabilities',
  'CapabilityBoundingSet',
  'PrivateNetwork',
  'NetworkNamespacePath',
];

async function addressProblems(
  { unit, scope, directories }: GatewayLocation,
  address: ListenAddress,
  { ids }: Runner,
): Promise<readonly string[]> {
  if (unit === null || address.kind === 'systemd') return [];
  const manager = new ServiceManager(scope);
  const properties = await manager.show(unit, listenProperties);
  if (await hasSocketUnit(manager, properties['TriggeredBy'] ?? '')) return [];
  const isElsewhere =
    properties['PrivateNetwork'] === 'yes' || (properties['NetworkNamespacePath'] ?? '') !== '';
  if (isElsewhere && address.kind === 'tcp') return [];
  const told = await askFacts(join(directories.runtime, 'control.sock'));
  const listening = told.outcome === 'told' ? told.facts.listening : [];
  const wanted = nameOf(address);
  if (listening.some((each) => each.replace('http://', '') === wanted)) return [];
  if (address.kind === 'unix') return problemsOf(() => expectFreePath(address.path));
  if (address.port > 0 && address.port < firstUnprivilegedPort() && !mayBindLow(properties, ids?.uid ?? -1)) {
    return [describeFailure(address, 'EACCES')];
  }
  const server = createServer();
  const problems = await problemsOf(async () => {
    await listen(server, address);
  });
  server.close();
  if (problems.length === 0) return [];
  // The gateway itself may have the port, at another address or under a name.
  const holders = portHolders(address.port, address.host).filter((holder) => !isManager(holder));
  const own = [Number(properties['MainPID']), told.outcome === 'told' ? told.facts.pid : 0];
  const isOwn = holders.some(({ pid }) => own.includes(pid) || serviceOf(pid) === unit);
  return isOwn ? [] : problems;
}

/** True if a socket unit listens for the gateway: its address counts, and no start binds another. */
async function hasSocketUnit(manager: ServiceManager, triggeredBy: string): Promise<boolean> {
  const sockets = triggeredBy.split(' ').filter((name) => name.endsWith('.socket'));
  for (const name of sockets) {
    if ((await manager.show(name, ['ActiveState']))['ActiveState'] === 'active') return true;
  }
  return false;
}

async function problemsOf(attempt: () => Promise<void>): Promise<readonly string[]> {
  try {
    await attempt();
    return [];
  } catch (error) {
    if (error instanceof ListenError) return [error.message];
    throw error;
  }
}

/** True if the unit's process has CAP_NET_BIND_SERVICE (capabilities(7)): root's own, or given to its user. */
function mayBindLow(properties: Readonly<Record<string, string>>, uid: number): boolean {
  const { AmbientCapabilities: ambient = '', CapabilityBoundingSet: bounding } = properties;
  const has = (list: string) => list.split(' ').includes('cap_net_bind_service');
  return (uid === 0 || has(ambient)) && (bounding === undefined || has(bounding));
}
