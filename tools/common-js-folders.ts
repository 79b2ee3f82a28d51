import type { Plugin } from 'rolldown';

/**
 * Tells Node.js that the scripts in these folders of the output are CommonJS, though the package's own modules are
 * ECMAScript's.
 */
export function commonJsFolders(folders: readonly string[]): Plugin {
  return {
    name: 'common-js-folders',
    generateBundle() {
      for (const folder of folders) {
        this.emitFile({
          type: 'asset',
          fileName: `${folder}/package.json`,
          source: '{ "type": "commonjs" }\n',
        });
      }
    },
  };
}
