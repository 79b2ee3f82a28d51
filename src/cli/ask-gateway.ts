import { join } from 'node:path';
import { control, NoGatewayError } from '../channels/control/control-client.js';
import { commandStatus } from './commands.js';
import { directoriesOf } from './place.js';
import type { ParsedCommand } from './usage.js';

/** A unit that restarts what it runs; a scope does not. */
function serviceUnit(unit: string | null): string | null {
  return unit?.endsWith('.service') ? unit : null;
}

/**
 * Orders a stop or a restart through the control socket, shows the status line while it is carried out, and waits
 * for the gateway's end.
 */
export async function askToEnd(parsed: ParsedCommand, command: 'stop' | 'restart'): Promise<number> {
  const path = join(directoriesOf(parsed).runtime, 'control.sock');
  let refused: string | null = null;
  let shown = '';
  try {
    await control(path, command, (event) => {
      if (event.event === 'refused') refused = event.reason;
      if (event.event === 'accepted' && command === 'stop' && serviceUnit(event.unit) !== null) {
        process.stderr.write(
          `sd-gateway: the gateway runs as ${event.unit}, which may start it again; "systemctl stop ${event.unit}" (with --user for a user unit) stops it for good.\n`,
        );
      }
      if (event.event === 'status' && event.text !== shown) {
        shown = event.text;
        process.stderr.write(`${event.text}\n`);
      }
    });
  } catch (error) {
    if (!(error instanceof NoGatewayError)) throw error;
    process.stderr.write(
      `sd-gateway: ${error.message}. Is it running, and as this user? For another instance there is --instance; a unit is stopped with "systemctl stop".\n`,
    );
    return commandStatus.unavailable;
  }
  if (refused === null) return commandStatus.success;
  process.stderr.write(`sd-gateway: the gateway refused: ${refused}\n`);
  return commandStatus.failure;
}
