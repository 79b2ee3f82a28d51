import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadScript } from './compiled-script.js';
import type { LoadedGateway } from './load-gateway.js';

/**
 * Under a service manager what V8 compiled is kept in the state directory (systemd.exec(5), STATE_DIRECTORY=), where
 * the gateway may write, whoever installed it.
 */
export async function loadGateway(): Promise<LoadedGateway> {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const [name, ...others] = readdirSync(folder).filter((entry) => /^gateway-[\w-]+\.cjs$/.test(entry));
  if (name === undefined || others.length > 0) {
    throw new Error(`${folder} has not one gateway in it: sd-gateway is to be installed, or built, again.`);
  }
  const [state] = process.env['STATE_DIRECTORY']?.split(':') ?? [];
  const { exports, keep } = loadScript(join(folder, name), state ? join(state, 'compiled') : null);
  return { ...(exports as Pick<LoadedGateway, 'runGateway'>), keepCompiled: keep };
}
