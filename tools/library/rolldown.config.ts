import { defineConfig, type Plugin } from 'rolldown';

/** The entry points of the package, by the name under which they are imported. */
const input = {
  index: 'src/library/index.ts',
  logging: 'src/library/logging.ts',
  'sd-notify': 'src/library/sd-notify.ts',
  testing: 'src/library/testing.ts',
};

/** Node.js would read a CommonJS file for the names of its exports, which takes longer than all the rest. */
const loader = "import { createRequire } from 'node:module';\n";

/**
 * ES modules that hand on what the CommonJS files export: a program that loads the package both ways has one state,
 * and one set of classes for `instanceof`.
 */
function moduleEntries(): Plugin {
  return {
    name: 'module-entries',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk' || !file.isEntry) continue;
        const names = file.exports.filter((name) => name !== 'default').sort();
        const types = `../types/library/${file.name}.js`;
        const isDefault = file.name === 'sd-notify';
        this.emitFile({
          type: 'asset',
          fileName: `esm/${file.name}.mjs`,
          source: `${loader}const library = createRequire(import.meta.url)('../${file.fileName}');\nexport const {\n  ${names.join(',\n  ')},\n} = library;\n${isDefault ? 'export default library;\n' : ''}`,
        });
        this.emitFile({
          type: 'asset',
          fileName: `esm/${file.name}.d.mts`,
          source: `export * from '${types}';\n${isDefault ? `import * as library from '${types}';\nexport default library;\n` : ''}`,
        });
      }
    },
  };
}

/** The files that `supervise` loads when it is called. */
const ofService =
  /src\/(library\/managed-service|lifecycle\/(state|status-line|supervise|timeouts|effects\/[\w-]+)|systemd\/timeout-extension)\.ts$/;
/** Each of these is a file by itself, but for what several need. */
const entries = /src\/library\/(index|logging|sd-notify|testing)\.ts$/;

/** The code of `@sd-gateway/systemd`, two levels below the package as src/linux/native.ts expects. */
export default defineConfig({
  platform: 'node',
  external: ['node-gyp-build'],
  plugins: [moduleEntries()],
  input,
  output: {
    format: 'cjs',
    exports: 'named',
    esModule: false,
    dir: `${process.env['PACKAGE'] ?? 'dist/package'}/dist`,
    entryFileNames: 'cjs/[name].cjs',
    chunkFileNames: 'cjs/[name].cjs',
    minify: false,
    // The types carry the documentation.
    comments: { legal: true, annotation: false, jsdoc: false },
    // Two files, as each costs a search, a read and a compilation: what an import needs, and what `supervise` loads.
    codeSplitting: {
      groups: [
        { name: 'library', test: (file) => !ofService.test(file) && !entries.test(file) },
        { name: 'service', test: ofService },
      ],
    },
  },
});
