import { type DatabaseAccess, type Directories, databaseAccess, directories } from '../config/directories.js';
import { ConfigurationError, type LoadedConfiguration } from '../config/load.js';
import { IdentityError } from '../linux/owner.js';
import { type UnitSettings, type UnitSettingsOptions, unitSettings } from '../units/unit-settings.js';
import { type Known, known, type UnitFacts, type UnitProperties, unknown } from './facts.js';

/** Finds the database of the configuration, or the usual one if that can't be read. */
export function accessTo(loaded: LoadedConfiguration | null, state: string): Known<DatabaseAccess> {
  try {
    return known(databaseAccess(loaded?.configuration ?? { store: { path: null } }, state));
  } catch (error) {
    const isExpected = error instanceof ConfigurationError || error instanceof IdentityError;
    if (!isExpected && (error as NodeJS.ErrnoException).code === undefined) throw error;
    return unknown((error as Error).message);
  }
}

export interface Places {
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
export function placesOf(unit: UnitFacts | null, options: UnitSettingsOptions): Places {
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
