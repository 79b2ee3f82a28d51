import { readFileSync } from 'node:fs';

let version: string | undefined;

/** The version in package.json, as it was when it was first asked for: an upgrade may put another in its place. */
export function programVersion(): string {
  version ??= readVersion();
  return version;
}

function readVersion(): string {
  const description: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return String((description as { readonly version: string }).version);
}
