import { existsSync } from 'node:fs';
import type { ConfigurationProblem } from '../../config/load.js';
import { shellCommand } from '../../text/shell-words.js';
import { openingAdvice, partClosedTo, type Runner } from '../../units/runner.js';
import type { GatewayLocation } from './locate.js';

/** Says that the gateway's user may not read its configuration; none: they may, or nobody can tell. */
export function closedConfiguration(
  { file: { path } }: Pick<GatewayLocation, 'file'>,
  { name, ids }: Runner,
): readonly ConfigurationProblem[] {
  const denied = ids === null || !existsSync(path) ? null : partClosedTo(ids, path);
  if (denied === null) return [];
  const { text, command } = openingAdvice(denied, denied === path ? 'o+r' : 'o+x', 'the file');
  const how = command === null ? text : `${text} ${shellCommand(command)}`;
  const message = `can’t be read by the user ${name}, who runs the gateway: ${denied} doesn’t let them. ${how}`;
  return [{ where: path, message }];
}
