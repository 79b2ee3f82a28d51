import { isInstanceName } from '../config/directories.js';
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
