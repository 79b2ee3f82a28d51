import type { Plugin } from 'rolldown';

/**
 * Leaves a program out of the bundle that has a bundle of its own: it is loaded from there.
 *
 * @param importer the end of the path of the module that imports it
 * @param program as that module names it
 * @param file its bundle, as the output names it
 */
export function bundledByItself(importer: string, program: string, file: string): Plugin {
  return {
    name: 'bundled-by-itself',
    resolveId(source, from) {
      return source === program && from?.endsWith(importer) === true ? { id: file, external: true } : null;
    },
  };
}
