import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { directories } from '../../config/directories.js';
import { tryLock } from '../../linux/file-lock.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import { otherScope, ServiceManager, ServiceManagerError, unitName } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { type InstalledUnit, readInstalled } from '../../units/drift.js';
import { dropInsOf, linkTarget, packagedUnit, unitDirectory } from '../../units/load-path.js';
import { catalogPath, type UnitTarget } from '../../units/plan.js';
import { judge } from '../../units/unit-text.js';
import { turnOfThisCommand, withinTurnLines } from '../client/control.js';
import { controlSocketOf, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { whyNoManager } from '../operate/find.js';
import { readUnit } from '../operate/unit.js';
import { ScheduleFiles } from '../schedule/files.js';
import { ScheduleError } from '../schedule/place.js';
import { removeSchedule, scheduleNames } from '../schedule/remove.js';
import { askYesNo, printable, reportLine } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import { findTemplateInstance, templateObjection } from './facts.js';
import { unitInstanceOf } from './request.js';
import { removeDeclaration, userLeft } from './user.js';

/** Files and directories that a gateway has left. */
export interface GatewayData {
  /** Files and directories that are its own, and are there. */
  readonly paths: readonly string[];
  /** Directories that are shared with other instances, and go when they are empty. */
  readonly sharedDirectories: readonly string[];
}

/** Matches the names of the gateway's entries in its state directory, an earlier version's (`compiled`) too. */
const stateFile =
  /^(gateway\.db.*|token|webhook-secret|lock|control\.sock|last-words\.json|fatal-signal|agents|compiled|schedules)$/;

/** The instance's name, if "init" has kept a configuration under this name; null: it is another file. */
function keptConfigurationOf(file: string): string | null {
  return /^(.+)\.toml\.\d{8}T\d{6}$/.exec(file)?.[1] ?? null;
}

function isThere(path: string): boolean {
  return existsSync(path) || linkTarget(path) !== null;
}

function systemPaths(name: string): string[] {
  // A unit with DynamicUser=, as 0.1.0 had, keeps them in private/, with a link (systemd.exec(5)).
  return ['/var/lib', '/var/cache', '/var/log'].flatMap((base) => [
    join(base, 'private', name),
    join(base, name),
  ]);
}

/** Finds the state, the cache, and the configuration of an instance where its unit has them by default. */
export function gatewayData({ scope, instance, home, environment }: UnitTarget): GatewayData {
  const { XDG_STATE_HOME, XDG_CACHE_HOME, XDG_CONFIG_HOME } = environment;
  const name = instance === null ? 'sd-gateway' : `sd-gateway-${instance}`;
  const where = directories({
    scope,
    instance,
    home,
    environment: {
      ...(XDG_STATE_HOME === undefined ? {} : { XDG_STATE_HOME }),
      ...(XDG_CONFIG_HOME === undefined ? {} : { XDG_CONFIG_HOME }),
    },
  });
  const paths = ['toml', 'env'].map((suffix) => join(where.configuration, `${name}.${suffix}`));
  if (existsSync(where.configuration)) {
    const kept = readdirSync(where.configuration).filter((file) => keptConfigurationOf(file) === name);
    paths.push(...kept.map((file) => join(where.configuration, file)));
  }
  if (scope === 'system') paths.push(...systemPaths(name));
  else paths.push(where.state, join(XDG_CACHE_HOME ?? join(home, '.cache'), name));
  const earlier = where.earlierUserState;
  if (earlier === where.configuration && existsSync(earlier)) {
    // A user manager before systemd 254: state and configuration, of other instances too, in one directory.
    paths.push(
      ...readdirSync(earlier)
        .filter((file) => stateFile.test(file))
        .map((file) => join(earlier, file)),
    );
  } else if (earlier !== null) paths.push(earlier);
  return { paths: paths.filter(isThere), sharedDirectories: [where.configuration].filter(existsSync) };
}

/** The process that has the data in use; null: nobody, or it isn’t known who. */
export function userOfData({
  paths,
}: GatewayData): { readonly path: string; readonly pid: number | null } | null {
  for (const path of paths) {
    const lock = path.endsWith('/lock') ? path : join(path, 'lock');
    if (!lstatSync(path).isDirectory() && path !== lock) continue;
    // Something else in its place is no gateway's, and goes with the rest.
    if (lstatSync(lock, { throwIfNoEntry: false })?.isFile() !== true) continue;
    const result = tryLock(lock);
    if (!result.locked) return { path: dirname(lock), pid: result.holderPid };
    result.release();
  }
  return null;
}

/** Removes it for good. Throws the errors of the file system. */
export function removeData({ paths, sharedDirectories }: GatewayData): readonly string[] {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
  const emptied = sharedDirectories.filter(
    (directory) => existsSync(directory) && readdirSync(directory).length === 0,
  );
  for (const directory of emptied) rmdirSync(directory);
  return [...paths, ...emptied];
}

/** It can’t be removed, or not so; `status` is the command’s. */
class UninstallError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'UninstallError';
  }
}

/** The outcome, for a program to read. */
interface Removal {
  readonly unit: string;
  readonly removed: string[];
  readonly warnings: string[];
}

type Say = (text: string) => void;

/** Says why this program may not remove the unit; null if it may. */
function objection({ path, text, link }: InstalledUnit): string | null {
  if (link !== null) return `${path} is a link to ${link}, which install did not make`;
  const ownership = judge(text ?? '');
  if (ownership === 'foreign') return `${path} was not written by install`;
  return ownership === 'edited' ? `${path} was edited by hand since it was installed` : null;
}

/** Says what keeps the data from being removed; null if nothing does. */
async function againstPurge({ scope, instance }: UnitTarget): Promise<string | null> {
  return templateObjection(await findTemplateInstance(new ServiceManager(scope), instance), scope);
}

/** There is nothing to remove; says where there is. */
function notInstalled(target: UnitTarget, unit: string): UninstallError {
  const packaged = packagedUnit(target, unit);
  if (packaged !== null) {
    return new UninstallError(
      commandStatus.failure,
      `${packaged} was not written by install: it goes with the package that it came with; "systemctl disable --now ${unit}" keeps it from running`,
    );
  }
  const elsewhere = { ...target, scope: otherScope(target.scope) };
  const other = readInstalled(elsewhere);
  const hint = other.text === null ? '' : `; there is ${other.path}, which --${elsewhere.scope} names`;
  return new UninstallError(
    commandStatus.noUnit,
    `${unit} is not installed in ${unitDirectory(target)}${hint}`,
  );
}

/** True if the directory still has another unit that install wrote. */
function hasOtherUnit(target: UnitTarget, unit: string): boolean {
  const directory = unitDirectory(target);
  return readdirSync(directory)
    .filter((name) => /^sd-gateway(-[^:]*)?\.service$/.test(name) && name !== unit)
    .map((name) => join(directory, name))
    .some((path) => linkTarget(path) === null && judge(readFileSync(path, 'utf8')) !== 'foreign');
}

async function stopAndDisable(
  manager: ServiceManager,
  target: UnitTarget,
  unit: string,
  say: Say,
): Promise<void> {
  const before = await readUnit(manager, unit);
  const { activeState, hasJob } = before;
  const isUp = activeState !== 'inactive' && activeState !== 'failed';
  const turn = isUp ? await turnOfThisCommand(controlSocketOf(target, before)) : null;
  if (turn !== null) {
    throw new UninstallError(commandStatus.noPermission, withinTurnLines('stop', turn).join('\n'));
  }
  // systemd stops nothing that it can't load, down or not; a start that waits for its turn is called off by a stop.
  if (isUp || hasJob) {
    const stopped = await manager.act('stop', unit);
    if (stopped.status !== 0) {
      throw new UninstallError(
        commandStatus.failure,
        `${unit} could not be stopped, and stays: ${stopped.stderr.trim()}`,
      );
    }
  }
  if (isUp) say(`Stopped ${unit}`);
  await manager.disable(unit);
}

async function removeUnit(target: UnitTarget, unit: string, path: string, say: Say): Promise<void> {
  const manager = new ServiceManager(target.scope);
  await stopAndDisable(manager, target, unit, say);
  rmSync(path);
  await manager.daemonReload();
  // Otherwise a failed unit is shown for as long as the manager runs. One that didn’t fail is gone, which it says.
  await manager.act('reset-failed', unit);
  say(`Removed ${path}`);
}

/** Nobody would take their messages. */
async function removeSchedules(target: UnitTarget, removal: Removal, say: Say): Promise<void> {
  const { scope, instance, home, environment } = target;
  const { XDG_STATE_HOME, XDG_CONFIG_HOME } = environment;
  const variables = {
    ...(XDG_STATE_HOME === undefined ? {} : { XDG_STATE_HOME }),
    ...(XDG_CONFIG_HOME === undefined ? {} : { XDG_CONFIG_HOME }),
  };
  const { state, earlierUserState } = directories({ scope, instance, home, environment: variables });
  const isEarlier = earlierUserState !== null && target.systemdVersion < 254;
  const store = {
    manager: new ServiceManager(scope),
    instance,
    units: unitDirectory(target),
    files: new ScheduleFiles(isEarlier ? earlierUserState : state),
  };
  for (const name of scheduleNames(store)) {
    removal.removed.push(...(await removeSchedule(store, name)));
    say(`Removed the schedule ${name}`);
  }
}

/** The catalog explains the records of all instances: it goes with the last. */
async function removeCatalog(target: UnitTarget, unit: string, removal: Removal, say: Say): Promise<void> {
  if (target.scope !== 'system' || hasOtherUnit(target, unit)) return;
  let text: string;
  try {
    text = readFileSync(catalogPath, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (judge(text) !== 'own') {
    removal.warnings.push(`${catalogPath} is not as install wrote it, and stays`);
    return;
  }
  rmSync(catalogPath);
  removal.removed.push(catalogPath);
  const { status, stderr } = await runProgram('journalctl', ['--update-catalog'], { timeout: 60_000 });
  if (status !== 0) removal.warnings.push(`journalctl --update-catalog failed: ${stderr.trim()}`);
  say(`Removed ${catalogPath}`);
}

/** Asks before anything is lost. Throws an UninstallError where nobody can answer, or does so with a no. */
async function confirmPurge(data: GatewayData, unit: string, yes: boolean): Promise<void> {
  if (yes || data.paths.length === 0) return;
  const list = data.paths.map((path) => `  ${path}`).join('\n');
  const answer = await askYesNo(
    `Messages, replies, the token and the configuration of ${unit} will be lost:\n${list}\nRemove them?`,
  );
  if (answer === null) {
    throw new UninstallError(
      commandStatus.failure,
      `--purge would remove, and nothing was removed:\n${list}\nsd-gateway: add --yes to remove them without a question`,
    );
  }
  if (!answer) throw new UninstallError(commandStatus.failure, 'nothing was removed');
}

function purge(target: UnitTarget, removal: Removal, say: Say): void {
  const data = gatewayData(target);
  const inUse = userOfData(data);
  if (inUse !== null) {
    throw new UninstallError(
      commandStatus.failure,
      `${inUse.path} is in use by ${inUse.pid === null ? 'another process' : `process ${inUse.pid}`}: stop that gateway, then run this again`,
    );
  }
  for (const path of removeData(data)) {
    removal.removed.push(path);
    say(`Removed ${path}`);
  }
}

async function uninstall(parsed: ParsedCommand, target: UnitTarget, say: Say): Promise<Removal> {
  const { flags } = parsed;
  const unit = unitName(target.instance);
  const installed = readInstalled(target);
  const isThere = installed.text !== null || installed.link !== null;
  const removal: Removal = { unit, removed: [], warnings: [] };
  const data = gatewayData(target);
  const isPurge = flags.has('purge');
  // The data of a unit that was removed before can be removed later.
  if (!isThere && !(isPurge && data.paths.length > 0 && packagedUnit(target, unit) === null)) {
    throw notInstalled(target, unit);
  }
  const against = [
    isThere ? objection(installed) : null,
    // Its messages are there, too.
    isPurge ? await againstPurge(target) : null,
  ].filter((reason) => reason !== null);
  if (against.length > 0 && !flags.has('force')) {
    throw new UninstallError(
      commandStatus.failure,
      `${against.join('\nsd-gateway: ')}\nsd-gateway: nothing was removed; --force removes it all the same`,
    );
  }
  if (isPurge) await confirmPurge(data, unit, flags.has('yes'));
  if (isThere) {
    await removeSchedules(target, removal, say);
    await removeUnit(target, unit, installed.path, say);
    removal.removed.push(installed.path);
    await removeCatalog(target, unit, removal, say);
  }
  const declaration = removeDeclaration(target);
  if (declaration?.removed === true) {
    removal.removed.push(declaration.path);
    say(`Removed ${declaration.path}`);
  } else if (declaration !== null) {
    removal.warnings.push(`${declaration.path} is not as install wrote it, and stays`);
  }
  if (isPurge) {
    purge(target, removal, say);
    const user = await userLeft(target);
    if (user !== null)
      say(`Kept: the user ${user}, whose files may be elsewhere, too; "userdel ${user}" removes it`);
  } else {
    // Not as it was before the stop, which has the store tidy up.
    const { paths } = gatewayData(target);
    if (paths.length > 0) say(`Kept, until --purge: ${paths.join(', ')}`);
  }
  const dropIns = dropInsOf(target, unit).filter((path) => path.includes(`/${unit}.d/`));
  if (dropIns.length > 0) removal.warnings.push(`drop-ins are yours, and stay: ${dropIns.join(', ')}`);
  return removal;
}

/** Removes what install wrote. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const asJson = parsed.flags.has('json');
  const scope = scopeOf(parsed);
  const instance = unitInstanceOf(parsed);
  const say: Say = (text) => {
    if (!asJson) process.stdout.write(`${printable(text)}\n`);
  };
  const refuse = (status: number, reason: string): number => {
    if (asJson) process.stdout.write(reportLine({ uninstalled: false, reason }));
    process.stderr.write(`sd-gateway: ${printable(reason)}\n`);
    return status;
  };
  if (scope === 'system' && process.getuid?.() !== 0) {
    return refuse(commandStatus.noPermission, 'only root can remove a unit of the system: use sudo');
  }
  try {
    const reason = await whyNoManager(scope);
    if (reason !== null) return refuse(commandStatus.unavailable, reason);
    const systemdVersion = await new ServiceManager(scope).version();
    const target = { scope, instance, systemdVersion, home: homedir(), environment: process.env };
    const removal = await uninstall(parsed, target, say);
    if (asJson) process.stdout.write(reportLine({ uninstalled: true, scope, instance, ...removal }));
    else for (const warning of removal.warnings) process.stderr.write(`sd-gateway: ${printable(warning)}\n`);
    return commandStatus.success;
  } catch (error) {
    if (error instanceof UninstallError || error instanceof ScheduleError)
      return refuse(error.status, error.message);
    const isExpected =
      error instanceof ServiceManagerError ||
      error instanceof ProgramError ||
      (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected) throw error;
    return refuse(commandStatus.failure, errorMessage(error));
  }
}
