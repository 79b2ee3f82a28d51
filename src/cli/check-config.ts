import { ConfigurationError } from '../config/load.js';
import type { Configuration } from '../config/schema.js';
import { settings } from '../config/settings.js';
import { configurationAt, locateGateway } from './client/locate.js';
import { commandStatus } from './command.js';
import { versionedLine } from './json.js';
import { jsonLine, printable } from './terminal.js';
import type { ParsedCommand } from './usage.js';

function settingOf(configuration: Configuration, path: readonly string[]): unknown {
  let value: unknown = configuration;
  for (const key of path) value = (value as Readonly<Record<string, unknown>>)[key];
  return value;
}

/** Prints what is in force, or every problem. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const asJson = parsed.flags.has('json');
  try {
    const location = await locateGateway(parsed);
    const { configuration, warnings, file } = configurationAt(location);
    for (const warning of warnings) process.stderr.write(`sd-gateway: ${printable(warning)}\n`);
    if (asJson) {
      process.stdout.write(versionedLine({ valid: true, file, unit: location.unit, configuration }));
      return commandStatus.success;
    }
    process.stdout.write(
      `# ${file ?? 'no file: defaults and environment'}${location.unit === null ? '' : `, as ${location.unit} reads it`}; time spans in ms, sizes in bytes\n`,
    );
    for (const { path } of settings) {
      const value = settingOf(configuration, path);
      // The key of another type of agent.
      if (value === undefined) continue;
      process.stdout.write(`${path.join('.')} = ${jsonLine(value)}`);
    }
    return commandStatus.success;
  } catch (error) {
    if (!asJson || !(error instanceof ConfigurationError)) throw error;
    process.stdout.write(versionedLine({ valid: false, problems: error.problems }));
    return commandStatus.configuration;
  }
}
