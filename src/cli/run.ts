import { runGateway } from '../gateway/run.js';
import { instanceOf } from './place.js';
import { wantsColour } from './terminal.js';
import type { ParsedCommand } from './usage.js';

/** Runs the gateway; the process ends with it. */
export async function run(parsed: ParsedCommand): Promise<never> {
  const instance = instanceOf(parsed);
  return runGateway({
    configurationFile: parsed.values['config'] ?? null,
    instance,
    takeover: parsed.flags.has('takeover'),
    environment: process.env,
    colour: wantsColour(parsed.flags, process.env, process.stderr.isTTY === true),
  });
}
