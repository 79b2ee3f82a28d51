import { homedir } from 'node:os';
import {
  configurationFile,
  type Directories,
  directories,
  isInstanceName,
  scopeOfUser,
} from '../config/directories.js';
import { type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import type { Scope } from '../manager/scope.js';
import { type ParsedCommand, UsageError } from './usage.js';

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

/** The configuration of the instance. Throws a ConfigurationError. */
export function configurationOf(parsed: ParsedCommand): LoadedConfiguration {
  const { config } = parsed.values;
  const file = config ?? configurationFile(directoriesOf(parsed).configuration, instanceOf(parsed));
  return loadConfiguration({ file, required: config !== undefined, environment: process.env });
}
