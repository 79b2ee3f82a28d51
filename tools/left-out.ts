import type { Plugin } from 'rolldown';

/**
 * Leaves packages out of the bundle that are only loaded by what the program doesn't use. Should one be loaded all the
 * same, that throws an Error with its name.
 */
export function leftOut(packages: readonly string[]): Plugin {
  const prefix = '\0left-out:';
  return {
    name: 'left-out',
    resolveId(source) {
      return packages.includes(source) ? prefix + source : null;
    },
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const message = `${id.slice(prefix.length)} is left out of the program (rolldown.config.ts)`;
      return `module.exports = undefined; throw new Error(${JSON.stringify(message)});`;
    },
  };
}
