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

/**
 * Leaves modules of Node.js out of what a package loads at its top, though nothing of what the program uses of it needs
 * them. Should something of one be used all the same, that throws an Error with its name.
 */
export function leftOutOf(owner: string, modules: readonly string[]): Plugin {
  const prefix = '\0left-out-of:';
  return {
    name: 'left-out-of',
    resolveId(source, importer) {
      const isOwner = importer?.includes(`/node_modules/${owner}/`) === true;
      return isOwner && modules.includes(source) ? prefix + source : null;
    },
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const message = `${id.slice(prefix.length)} is left out of ${owner} (rolldown.config.ts)`;
      return `module.exports = new Proxy({}, { get() { throw new Error(${JSON.stringify(message)}); } });`;
    },
  };
}
