import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  configurationFile,
  type Directories,
  directories,
  isInstanceName,
  scopeOfUser,
} from '../../config/directories.js';
import { type LoadedConfiguration, loadConfiguration } from '../../config/load.js';
import { ProgramError } from '../../manager/program.js';
import { type Scope, ServiceManager, ServiceManagerError, unitNames } from '../../manager/service-manager.js';
import { type Hiding, hidingProperties } from '../../units/paths.js';
import {
  isUnprivileged,
  settingsProperties,
  type UnitSettings,
  unitSettings,
} from '../../units/unit-settings.js';
import type { Target } from '../operate/find.js';
import type { UnitState } from '../operate/unit.js';
import { type ParsedCommand, UsageError } from '../usage.js';

/** `--system` or `--user`; root's is the system, anybody else's their own. Throws a UsageError. */
export function scopeOf(parsed: ParsedCommand): Scope {
  const system = parsed.flags.has('system');
  const user = parsed.flags.has('user');
  if (system && user) throw new UsageError('--system and --user exclude each other', parsed.command.name);
  if (system || user) return system ? 'system' : 'user';
  return scopeOfUser(process.getuid?.() ?? -1);
}

/** The directories of the instance, as the gateway itself would find them. */
export function directoriesOf(parsed: ParsedCommand): Directories {
  return directories({
    instance: instanceOf(parsed),
    environment: process.env,
    scope: scopeOf(parsed),
    home: homedir(),
  });
}

/** The directories, environment and files that the instance's gateway works with. */
export interface GatewayLocation {
  readonly directories: Directories;
  readonly environment: NodeJS.ProcessEnv;
  readonly file: { readonly path: string; readonly named: boolean };
  /** The manager of that unit. */
  readonly scope: Scope;
  /** The unit that says so; null: there is none, so it is what a gateway in the foreground would have. */
  readonly unit: string | null;
  /** The user as whom the manager runs the unit; null: the unit is down, or runs as root. */
  readonly unitUser: number | null;
  /** The unit's. */
  readonly hiding: Hiding;
}

/**
 * With what the instance's gateway is run: by its installed unit or, where there is none, in the foreground. Directories
 * in the environment name a gateway whatever units there are (`namedByDirectory`).
 */
export async function locateGateway(parsed: ParsedCommand): Promise<GatewayLocation> {
  const { config } = parsed.values;
  const own = namedByDirectory() ? null : await unitLocation(scopeOf(parsed), instanceOf(parsed));
  const directories = own?.directories ?? directoriesOf(parsed);
  const usual = own?.file ?? {
    path: configurationFile(directories.configuration, instanceOf(parsed)),
    named: false,
  };
  return {
    directories,
    environment: own?.environment ?? process.env,
    scope: scopeOf(parsed),
    file: config === undefined ? usual : { path: config, named: true },
    unit: own?.unit ?? null,
    unitUser: own?.unitUser ?? null,
    hiding: own?.hiding ?? {},
  };
}

/** The unit of the system that runs the instance's gateway; null: there is none, or nobody can be asked. */
export async function systemUnitOf(instance: string | null): Promise<string | null> {
  return (await unitLocation('system', instance))?.unit ?? null;
}

/** The configuration there. Throws a ConfigurationError. */
export function configurationAt({ file, environment }: GatewayLocation): LoadedConfiguration {
  return loadConfiguration({ file: file.path, required: file.named, environment });
}

/** Gives null if no manager answers, or none knows such a unit: then there is only the foreground. */
async function unitLocation(
  scope: Scope,
  instance: string | null,
): Promise<(UnitSettings & Pick<GatewayLocation, 'unitUser' | 'hiding'> & { readonly unit: string }) | null> {
  const manager = new ServiceManager(scope);
  try {
    for (const unit of unitNames(instance)) {
      const properties = await manager.show(unit, [
        'LoadState',
        'UID',
        ...hidingProperties,
        ...settingsProperties,
      ]);
      if (properties['LoadState'] !== 'loaded') continue;
      const settings = unitSettings(properties, {
        scope,
        instance,
        systemdVersion: await manager.version(),
        home: homedir(),
        environment: process.env,
        uid: process.getuid?.() ?? -1,
      });
      const user = properties['UID'] ?? '';
      return { ...settings, unit, unitUser: /^\d+$/.test(user) ? Number(user) : null, hiding: properties };
    }
    return null;
  } catch (error) {
    if (error instanceof ServiceManagerError || error instanceof ProgramError) return null;
    throw error;
  }
}

/** The instance that `--instance` names; null: the one without a name. Throws a UsageError. */
export function instanceOf(parsed: ParsedCommand): string | null {
  const { instance } = parsed.values;
  if (instance === undefined) return null;
  if (!isInstanceName(instance)) {
    throw new UsageError(
      `"${instance}" is no name of an instance: it takes 1 to 64 of letters, digits, "_", "." and "-"`,
      parsed.command.name,
    );
  }
  return instance;
}

/** The control socket of a gateway; a unit's is in its RuntimeDirectory=. */
export function controlSocketOf(target: Target, unit: UnitState | null): string {
  const { runtime } = directories({
    instance: target.instance,
    environment: process.env,
    scope: unit?.scope ?? target.scope,
    home: homedir(),
  });
  if (unit?.scope === 'system' && unit.runtimeDirectory === null && unit.stateDirectory !== null) {
    const properties = { User: unit.user ?? '', DynamicUser: unit.dynamicUser ? 'yes' : 'no' };
    if (isUnprivileged(properties)) return join('/var/lib', unit.stateDirectory, 'control.sock');
  }
  if (unit === null || unit.runtimeDirectory === null) return join(runtime, 'control.sock');
  const uid = process.getuid?.() ?? 0;
  const base = unit.scope === 'system' ? '/run' : (process.env.XDG_RUNTIME_DIR ?? `/run/user/${uid}`);
  return join(base, unit.runtimeDirectory, 'control.sock');
}

/**
 * True if RUNTIME_DIRECTORY names a gateway by its directory, as systemd does for what runs in a unit: then the command
 * is about the gateway there, whatever units there are.
 */
export function namedByDirectory(environment: NodeJS.ProcessEnv = process.env): boolean {
  return (environment.RUNTIME_DIRECTORY ?? '') !== '';
}
