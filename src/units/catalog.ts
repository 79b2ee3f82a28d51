import { existsSync, readFileSync } from 'node:fs';
import { seal } from './seal.js';

/** Where journalctl(1) --update-catalog looks besides the packages’ directory; not in /etc. */
export const catalogPath = '/usr/local/lib/systemd/catalog/sd-gateway.catalog';
const packagedCatalog = '/usr/lib/systemd/catalog/sd-gateway.catalog';

/** The journal catalog to install, sealed as units are; null when there is none to install, as a package brought it. */
export function catalogToInstall(): string | null {
  const shipped = new URL('../../systemd/sd-gateway.catalog', import.meta.url);
  if (existsSync(packagedCatalog) || !existsSync(shipped)) return null;
  return seal(readFileSync(shipped, 'utf8'));
}
