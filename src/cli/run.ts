import { startStoreThread } from '../store/sqlite/store-thread.js';
import { instanceOf } from './instance.js';
import { wantsColour } from './terminal.js';
import type { ParsedCommand } from './usage.js';

/** Runs the gateway; the process ends with it. */
export async function run(parsed: ParsedCommand): Promise<never> {
  const instance = instanceOf(parsed);
  // Beside the store's thread, this one loads the gateway: there is more than one processor.
  const storeThread = startStoreThread();
  const { loadGateway } = await import('./load-gateway.js');
  const { runGateway, keepCompiled } = await loadGateway();
  return runGateway({
    configurationFile: parsed.values['config'] ?? null,
    instance,
    takeover: parsed.flags.has('takeover'),
    storeThread,
    keepCompiled,
    environment: process.env,
    colour: wantsColour(parsed.flags, process.env, process.stderr.isTTY === true),
  });
}
