import { existsSync, readFileSync } from 'node:fs';

let version: string | undefined;

/** The version in package.json, as it was when it was first asked for: an upgrade may put another in its place. */
export function programVersion(): string {
  version ??= readVersion();
  return version;
}

/** The package’s own folder is one level above the modules of src and dist, and two above those of the bundle. */
const places = ['../package.json', '../../package.json'];

function readVersion(): string {
  for (const place of places) {
    const url = new URL(place, import.meta.url);
    if (!existsSync(url)) continue;
    const description: unknown = JSON.parse(readFileSync(url, 'utf8'));
    return String((description as { readonly version: string }).version);
  }
  throw new Error('There is no package.json beside the program; install sd-gateway again.');
}
