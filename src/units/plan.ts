import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { longestKillDelay } from '../config/agent-table.js';
import { configurationFile, directories } from '../config/directories.js';
import { environmentFileBeside } from '../config/hazards.js';
import { ConfigurationError, type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import type { Configuration } from '../config/schema.js';
import { longestStoreWait, namedStoreFile } from '../config/store-table.js';
import { NoRegularFileError, readRegularFile } from '../linux/files.js';
import type { Scope } from '../manager/service-manager.js';
import type { UnitOwner } from './load-path.js';
import { pnpmLinks, stablePath } from './paths.js';
import type { UnitPlan } from './render.js';
import { parseEnvironmentFile } from './unit-settings.js';
import { seal, type UnitChoices } from './unit-text.js';

/** Which gateway, and on which systemd. */
export interface UnitTarget extends UnitOwner {
  /** The instance; null for the one without a name. */
  readonly instance: string | null;
  readonly systemdVersion: number;
}

/** Files that the unit's gateway reads. */
export interface UnitFiles {
  readonly configurationDirectory: string;
  readonly configuration: string;
  readonly environment: string;
}

const standardSearchPath = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The unit that is shipped for the scope: what an installed one is made from. */
export function shippedUnit(scope: Scope): string {
  const file = scope === 'system' ? 'sd-gateway.service' : 'user/sd-gateway.service';
  return readFileSync(new URL(`../../systemd/${file}`, import.meta.url), 'utf8');
}

const programHere = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** This package's program, as the unit runs it: by a path that stays when it is upgraded, if there is one. */
export const ownProgram = stablePath(programHere, pnpmLinks(programHere));

export function unitFiles(
  { scope, home, environment, instance }: UnitTarget,
  choices: UnitChoices,
): UnitFiles {
  const { XDG_CONFIG_HOME } = environment;
  // Only what the unit has too: not the directories of a unit that this process itself may belong to.
  const { configuration: directory } = directories({
    instance,
    environment: XDG_CONFIG_HOME === undefined ? {} : { XDG_CONFIG_HOME },
    scope,
    home,
  });
  const own = configurationFile(directory, instance);
  return {
    configurationDirectory: directory,
    configuration: choices.configurationFile ?? own,
    environment: choices.environmentFile ?? environmentFileBeside(own),
  };
}

function readEnvironment(file: string, required: boolean): Readonly<Record<string, string>> {
  try {
    return parseEnvironmentFile(readRegularFile(file, 'links-followed').toString());
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!(error instanceof NoRegularFileError) && code === undefined) throw error;
    if (code === 'ENOENT' && !required) return {};
    const reason =
      code === 'ENOENT'
        ? 'there is no such file; make it, or name another one with --environment-file'
        : message;
    throw new ConfigurationError([{ where: file, message: `can't be read: ${reason}` }]);
  }
}

/**
 * The configuration that the unit's gateway will read, with what the environment file overrides; the environment of
 * this process has no part in it. Throws a ConfigurationError, also about an environment file that can't be read.
 */
export function unitConfiguration(target: UnitTarget, choices: UnitChoices): LoadedConfiguration {
  const files = unitFiles(target, choices);
  return loadConfiguration({
    file: files.configuration,
    required: choices.configurationFile !== null,
    environment: readEnvironment(files.environment, choices.environmentFile !== null),
    environmentFile: files.environment,
  });
}

/** The directory of the store's file, if it is none of those that the unit makes; null: it is, or there is no file. */
export function storeDirectoryOutside(
  { scope, home, environment, instance }: UnitTarget,
  { store }: Pick<Configuration, 'store'>,
): string | null {
  const file = namedStoreFile(store);
  if (file === null) return null;
  const { XDG_STATE_HOME, XDG_CONFIG_HOME } = environment;
  const own = directories({
    scope,
    home,
    instance,
    environment: {
      ...(XDG_STATE_HOME === undefined ? {} : { XDG_STATE_HOME }),
      ...(XDG_CONFIG_HOME === undefined ? {} : { XDG_CONFIG_HOME }),
    },
  });
  const directory = dirname(file);
  // A user manager before systemd 254 has its own place for the state.
  const states = [own.state, own.earlierUserState].filter((path) => path !== null);
  return states.some((path) => directory === path || directory.startsWith(`${path}/`)) ? null : directory;
}

/** The search path for programs of the gateway and its agents: the same whoever installs. */
function searchPath({ scope, home }: UnitTarget, node: string): string {
  const own = scope === 'user' ? [join(home, '.local/bin')] : [];
  const added = [dirname(node), ...own].filter((directory) => !standardSearchPath.includes(directory));
  // A directory with a colon in its name can't be in a search path.
  return [...added, ...standardSearchPath].filter((directory) => !directory.includes(':')).join(':');
}

/** All that the unit is made from, as this machine is. Throws what `unitConfiguration` throws. */
export function planUnit(target: UnitTarget, choices: UnitChoices, program = ownProgram): UnitPlan {
  const { configuration } = unitConfiguration(target, choices);
  return {
    scope: target.scope,
    instance: target.instance,
    systemdVersion: target.systemdVersion,
    choices,
    program,
    searchPath: searchPath(target, choices.node),
    defaultEnvironmentFile: unitFiles(target, { ...choices, environmentFile: null, configurationFile: null })
      .environment,
    storeDirectory: storeDirectoryOutside(target, configuration),
    stop: {
      drainTimeoutMs: configuration.stop.drain,
      killDelayMs: longestKillDelay(configuration.agents),
      storeWait: longestStoreWait(configuration.store),
    },
  };
}

/** A file that journalctl(1) --update-catalog reads beside the packages’ directory; it does not read /etc. */
export const catalogPath = '/usr/local/lib/systemd/catalog/sd-gateway.catalog';
const packagedCatalog = '/usr/lib/systemd/catalog/sd-gateway.catalog';

/** The journal catalog to install, sealed as units are; null when there is none to install, as a package brought it. */
export function catalogToInstall(): string | null {
  const shipped = new URL('../../systemd/sd-gateway.catalog', import.meta.url);
  if (existsSync(packagedCatalog) || !existsSync(shipped)) return null;
  return seal(readFileSync(shipped, 'utf8'));
}
