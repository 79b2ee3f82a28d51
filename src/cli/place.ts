import { homedir } from 'node:os';
import { configurationFile, type Directories, directories, isInstanceName } from '../config/directories.js';
import { type LoadedConfiguration, loadConfiguration } from '../config/load.js';
import { type ParsedCommand, UsageError } from './usage.js';

/** The instance that `--instance` names; null: the one without a name. Throws a UsageError. */
export function instanceOf(parsed: ParsedCommand): string | null {
  const { instance } = parsed.values;
  if (instance === undefined) return null;
  if (!isInstanceName(instance)) {
    throw new UsageError(
      `"${instance}" is no name of an instance: it takes 1 to 64 of letters, digits, ":", "_", "." and "-"`,
      parsed.command.name,
    );
  }
  return instance;
}

/** The directories of the instance, as the gateway itself would find them. */
export function directoriesOf(parsed: ParsedCommand): Directories {
  return directories({
    instance: instanceOf(parsed),
    environment: process.env,
    uid: process.getuid?.() ?? -1,
    home: homedir(),
  });
}

/** The configuration of the instance. Throws a ConfigurationError. */
export function configurationOf(parsed: ParsedCommand): LoadedConfiguration {
  const { config } = parsed.values;
  const file = config ?? configurationFile(directoriesOf(parsed).configuration, instanceOf(parsed));
  return loadConfiguration({ file, required: config !== undefined, environment: process.env });
}
