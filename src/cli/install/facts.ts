import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { firstUnprivilegedPort, isManager, portHolders } from '../../channels/http/server/port-holder.js';
import { isLeftoverLink, scopeOfUser } from '../../config/directories.js';
import { ConfigurationError, type LoadedConfiguration, loadConfiguration } from '../../config/load.js';
import type { Configuration } from '../../config/schema.js';
import { sampleConfiguration } from '../../config/written.js';
import { runProgram } from '../../manager/program.js';
import {
  otherScope,
  type Scope,
  ServiceManager,
  unitName,
  unitNames,
} from '../../manager/service-manager.js';
import { serviceOf } from '../../systemd/evidence.js';
import { type InstalledUnit, readInstalled } from '../../units/drift.js';
import { dropInsOf, packagedUnit } from '../../units/load-path.js';
import { stablePath } from '../../units/paths.js';
import {
  catalogPath,
  catalogToInstall,
  ownProgram,
  planUnit,
  shippedUnit,
  type UnitFiles,
  type UnitTarget,
  unitConfiguration,
  unitFiles,
} from '../../units/plan.js';
import { type RenderedUnit, renderUnit } from '../../units/render.js';
import {
  judge,
  type Ownership,
  parseUnit,
  readChoices,
  type UnitChoices,
  valueIn,
} from '../../units/unit-text.js';
import { otherUnitOf, unitUser } from '../../units/unit-user.js';
import { systemctlFor } from '../operate/find.js';
import { findStoreDirectory, findUnreadable, type StoreDirectory, type UnreadableFile } from './places.js';
import type { InstallRequest } from './request.js';
import { findOwnUser, lacksUser, type OwnUser } from './user.js';

/** A file that install would make. */
export interface NewFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** All that is found before anything is changed. */
export interface InstallFacts {
  readonly unit: string;
  readonly target: UnitTarget;
  /** True if this person's commands are about that scope by default. */
  readonly isDefaultScope: boolean;
  readonly installed: InstalledUnit;
  /** The unit file that is there; null if there is none. */
  readonly ownership: Ownership | null;
  /** A unit of the same name elsewhere, which an installed one would hide. */
  readonly packaged: string | null;
  /** An instance of the template that runs; null if none can, or the manager wasn't asked. */
  readonly template: TemplateInstance | null;
  /** The unit of the same name in the other scope, where it may have the same address. */
  readonly inOtherScope: string | null;
  readonly dropIns: readonly string[];
  readonly choices: UnitChoices;
  /** The unit's own user; null if the operator chose one, or the unit is not the system's. */
  readonly user: OwnUser | null;
  /** A unit that runs the instance, which install did not write and which lacks its own user; null: none. */
  readonly awaitsUser: string | null;
  /** The unit of another gateway that runs as the same user; null: there is none. */
  readonly sharesUser: string | null;
  /** A link that keeps systemd from making the runtime directory; null: there is none. */
  readonly leftoverLink: string | null;
  readonly program: string;
  readonly files: UnitFiles;
  readonly configuration: LoadedConfiguration;
  readonly rendered: RenderedUnit;
  /** A first configuration to write; null if there is one. */
  readonly sample: NewFile | null;
  /** Files of the gateway that a user who owns nothing can’t read. */
  readonly unreadable: readonly UnreadableFile[];
  /** The directory of `store.path`, where the unit does not make it; null: it does. */
  readonly storeDirectory: StoreDirectory | null;
  /** The address of the configuration, if somebody else listens there now. */
  readonly takenAddress: string | null;
  /** The port of the configuration, if no unit of ours may listen there; null if it may. */
  readonly closedPort: number | null;
  /** The journal catalog to write; null if there is nothing to install. */
  readonly catalog: NewFile | null;
  /** The user of a user unit, and true if their manager runs without a session. */
  readonly linger: { readonly user: string; readonly enabled: boolean } | null;
  /** The unit's state; null if the manager wasn't asked. */
  readonly state: { readonly enabled: string; readonly active: string } | null;
}

/** This process’s Node.js, by a path that stays when it is upgraded, if there is one. */
function findNode(): string {
  const here = process.execPath;
  const links = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, 'node'))
    .filter((path) => existsSync(path) && realpathSync(path) === realpathSync(here));
  return stablePath(here, links);
}

/** True if linger is on for the user; logind keeps a file for each (loginctl(1), enable-linger). */
async function lingers(user: string): Promise<boolean> {
  const { status, stdout } = await runProgram('loginctl', [
    'show-user',
    user,
    '--property=Linger',
    '--value',
  ]);
  // A user without a session and without linger isn't known to logind.
  return status === 0 ? stdout.trim() === 'yes' : existsSync(`/var/lib/systemd/linger/${user}`);
}

/** True if a process that is not of these units holds the port. A host that is not this machine's counts as free. */
async function isTaken(host: string, port: number, units: readonly string[]): Promise<boolean> {
  const isHeld = await new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(false)));
  });
  if (isHeld !== true) return false;
  const holders = portHolders(port, host).filter((holder) => !isManager(holder));
  return holders.length === 0 || holders.some(({ pid }) => !units.includes(serviceOf(pid) ?? ''));
}

function portOf({ http }: Configuration): number | null {
  return http.listen.kind === 'tcp' ? http.listen.port : null;
}

/** Ports of the other instances, by their configuration files; one that can’t be read has none. */
function portsOfOthers(directory: string, own: string): Set<number> {
  const ports = new Set<number>();
  if (!existsSync(directory)) return ports;
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    if (file === own || !/^sd-gateway(-.*)?\.toml$/.test(name)) continue;
    try {
      const port = portOf(loadConfiguration({ file, required: true, environment: {} }).configuration);
      if (port !== null) ports.add(port);
    } catch (error) {
      // It can't be started either; whoever starts it is told.
      if (!(error instanceof ConfigurationError)) throw error;
    }
  }
  return ports;
}

const host = '127.0.0.1';

/** The first port from the default on that neither an instance nor anybody else has. */
async function freePort(
  first: number,
  taken: ReadonlySet<number>,
  units: readonly string[],
): Promise<number> {
  for (let port = first; port < first + 1_000; port++)
    if (!taken.has(port) && !(await isTaken(host, port, units))) return port;
  return first;
}

/**
 * The port of a configuration that is new: the preset one, or the first one behind it that nobody has.
 *
 * @param taken ports of gateways whose configurations don't lie beside the new one
 */
export async function portForNew(
  instance: string | null,
  file: string,
  preset: number,
  taken: ReadonlySet<number> = new Set(),
): Promise<number> {
  const directory = dirname(file);
  const others = portsOfOthers(directory, file);
  for (const port of taken) others.add(port);
  // The instance without a name has the default, unless its file says otherwise; and it may not have one.
  if (instance !== null && !existsSync(join(directory, 'sd-gateway.toml'))) others.add(preset);
  return freePort(preset, others, unitNames(instance));
}

/** The mode of a configuration: a system unit’s user has to read root’s file. */
export function configurationMode(scope: UnitTarget['scope']): number {
  return scope === 'system' ? 0o644 : 0o600;
}

/** The unit of the same name in the other scope, and its port: null for none, undefined where it can’t be read. */
interface OtherUnit {
  readonly path: string;
  readonly port: number | null | undefined;
}

function findInOtherScope(target: UnitTarget): OtherUnit | null {
  const other = { ...target, scope: otherScope(target.scope) };
  const { path, text, link } = readInstalled(other);
  if (text === null) return link === null || link === '/dev/null' ? null : { path, port: undefined };
  const choices = readChoices(text);
  if (choices === null) return { path, port: undefined };
  try {
    return { path, port: portOf(unitConfiguration(other, choices).configuration) };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { path, port: undefined };
  }
}

interface NewConfiguration extends NewFile {
  readonly port: number | null;
}

async function newConfiguration(
  target: UnitTarget,
  files: UnitFiles,
  configuration: Configuration,
  isNew: boolean,
  otherUnit: OtherUnit | null,
): Promise<NewConfiguration> {
  const preset = portOf(configuration);
  const others = new Set(typeof otherUnit?.port === 'number' ? [otherUnit.port] : []);
  const port =
    preset === null || !isNew
      ? preset
      : await portForNew(target.instance, files.configuration, preset, others);
  const values = port === preset ? {} : { 'http.listen': `${host}:${port}` };
  return {
    path: files.configuration,
    port,
    text: sampleConfiguration(values),
    mode: configurationMode(target.scope),
  };
}

function readUnlessMissing(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function newCatalog(target: UnitTarget): NewFile | null {
  const text = target.scope === 'system' ? catalogToInstall() : null;
  return text === null || text === readUnlessMissing(catalogPath)
    ? null
    : { path: catalogPath, text, mode: 0o644 };
}

/** The link of a unit with DynamicUser= before this one. */
function findLeftoverLink(target: UnitTarget, { text }: RenderedUnit): string | null {
  const directory = valueIn(parseUnit(text), 'RuntimeDirectory');
  if (target.scope !== 'system' || directory === null) return null;
  const path = join('/run', directory);
  return isLeftoverLink(path) ? path : null;
}

/**
 * Finds out all that install needs to know. Changes nothing. Throws a ConfigurationError, a ProgramError, a
 * ServiceManagerError, a UnitValueError, and what the file system says.
 */
export async function findInstallFacts(request: InstallRequest): Promise<InstallFacts> {
  const { scope, instance, asksManager } = request;
  const manager = new ServiceManager(scope);
  const unit = unitName(instance);
  const target: UnitTarget = {
    scope,
    instance,
    home: homedir(),
    environment: process.env,
    systemdVersion: await manager.version(),
  };
  const installed = readInstalled(target);
  const ownership =
    installed.link !== null ? 'foreign' : installed.text === null ? null : judge(installed.text);
  const before = installed.text === null ? null : readChoices(installed.text);
  const choices: UnitChoices = {
    configurationFile: request.configurationFile ?? before?.configurationFile ?? null,
    environmentFile: request.environmentFile ?? before?.environmentFile ?? null,
    runAs: request.runAs ?? before?.runAs ?? null,
    node: findNode(),
  };
  const files = unitFiles(target, choices);
  const configuration = unitConfiguration(target, choices);
  const state = asksManager
    ? {
        enabled: await manager.isEnabled(unit),
        active: (await manager.show(unit, ['ActiveState']))['ActiveState'] ?? 'unknown',
      }
    : null;
  const { listen } = configuration.configuration.http;
  const isRunning = state !== null && state.active !== 'inactive' && state.active !== 'failed';
  const needsSample = choices.configurationFile === null && !existsSync(files.configuration);
  // A unit of somebody else's did not run with this configuration.
  const isNew = (ownership === null || ownership === 'foreign') && !isRunning;
  const isOpenToAll = process.getuid?.() === 0 && scope === 'system';
  const person = scope === 'user' ? userInfo().username : null;
  const otherUnit = findInOtherScope(target);
  const sample = needsSample
    ? await newConfiguration(target, files, configuration.configuration, isNew, otherUnit)
    : null;
  const port = sample === null ? portOf(configuration.configuration) : sample.port;
  const mayCollide =
    otherUnit !== null && (otherUnit.port === undefined || (port !== null && otherUnit.port === port));
  const packaged = packagedUnit(target, unit);
  const template = asksManager ? await findTemplateInstance(manager, instance) : null;
  const plan = planUnit(target, choices);
  const rendered = renderUnit(shippedUnit(scope), plan);
  const user = await findOwnUser(target, choices);
  const isTemplates = template !== null && templateObjection(template, scope) !== null;
  const isOthers = ownership === 'foreign' || (ownership === null && packaged !== null);
  const others = isTemplates ? template.unit : isOthers ? unit : null;
  const awaitsUser =
    others !== null && asksManager && !request.force && (await lacksUser(manager, others, user));
  return {
    unit,
    target,
    isDefaultScope: scopeOfUser(process.getuid?.() ?? -1) === scope,
    installed,
    ownership,
    packaged,
    template,
    inOtherScope: mayCollide ? otherUnit.path : null,
    dropIns: dropInsOf(target, unit),
    choices,
    user,
    awaitsUser: awaitsUser ? others : null,
    sharesUser: scope === 'system' ? otherUnitOf(target, choices.runAs ?? unitUser(instance), unit) : null,
    leftoverLink: findLeftoverLink(target, rendered),
    program: ownProgram,
    files,
    configuration,
    rendered,
    sample,
    unreadable: isOpenToAll
      ? findUnreadable([choices.node, ownProgram, files.configuration], ownProgram)
      : [],
    storeDirectory: await findStoreDirectory(
      plan.storeDirectory,
      scope === 'system' ? (choices.runAs ?? unitUser(instance)) : null,
    ),
    takenAddress:
      listen.kind === 'tcp' &&
      !isRunning &&
      !(needsSample && isNew) &&
      (await isTaken(listen.host, listen.port, unitNames(instance)))
        ? `${listen.host}:${listen.port}`
        : null,
    closedPort:
      listen.kind === 'tcp' && listen.port > 0 && listen.port < firstUnprivilegedPort() ? listen.port : null,
    catalog: newCatalog(target),
    linger: person === null ? null : { user: person, enabled: await lingers(person) },
    state,
  };
}

/** The instance of the package's template that has the same name, and with it the same directories. */
export interface TemplateInstance {
  readonly unit: string;
  readonly enabled: string;
  readonly active: string;
}

/** Asks the manager; null: the instance without a name has none. Throws a ServiceManagerError, or a ProgramError. */
export async function findTemplateInstance(
  manager: ServiceManager,
  instance: string | null,
): Promise<TemplateInstance | null> {
  const unit = unitNames(instance).find((name) => name !== unitName(instance));
  if (unit === undefined) return null;
  const { ActiveState: active = 'inactive' } = await manager.show(unit, ['ActiveState']);
  return { unit, enabled: await manager.isEnabled(unit), active };
}

/** Says why it is in the way of the instance's own unit and of a removal of the data; null if it isn't in use. */
export function templateObjection(template: TemplateInstance | null, scope: Scope): string | null {
  if (template === null) return null;
  const { unit, enabled, active } = template;
  const isEnabled = /^enabled(-runtime)?$/.test(enabled);
  if (!isEnabled && active === 'inactive') return null;
  // A failed unit is down already, and a stop leaves it failed.
  const verb = active === 'failed' && !isEnabled ? 'reset-failed' : 'disable --now';
  return `${unit} is ${active === 'inactive' ? enabled : active}, and has the same directories; "${systemctlFor(`${verb} ${unit}`, scope)}" ends that`;
}
