import { ConfigurationError } from '../config/load.js';
import { writtenConfiguration } from '../config/written.js';
import { configurationAt, locateGateway } from './client/locate.js';
import { commandStatus } from './command.js';
import { printable, versionedLine } from './terminal.js';
import type { ParsedCommand } from './usage.js';

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
    const source = file ?? 'no file: defaults and environment';
    const reader = location.unit === null ? '' : `, as ${location.unit} reads it`;
    process.stdout.write(`# ${printable(source)}${reader}\n${writtenConfiguration(configuration)}`);
    return commandStatus.success;
  } catch (error) {
    if (!asJson || !(error instanceof ConfigurationError)) throw error;
    process.stdout.write(versionedLine({ valid: false, problems: error.problems }));
    return commandStatus.configuration;
  }
}
