import { readFileSync } from 'node:fs';

/** The version in package.json. */
export function programVersion(): string {
  const description: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return String((description as { readonly version: string }).version);
}
