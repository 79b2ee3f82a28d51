import { nameOwnGateway } from '../text/own-command.js';
import type { ParsedCommand } from './usage.js';

/**
 * Has what this process prints as the next step be about the same gateway. The gateway's bundle has that module of its own,
 * so that `run` calls this again.
 */
export function nameGivenGateway({ values, flags }: ParsedCommand): void {
  const { instance = null, config = null, url = null } = values;
  const scope = flags.has('system') ? 'system' : flags.has('user') ? 'user' : null;
  nameOwnGateway({ scope, instance, config, url });
}
