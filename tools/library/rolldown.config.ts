import { defineConfig, type Plugin } from 'rolldown';

/** The entry points of the package, by the name under which they are imported. */
const input = {
  index: 'src/library/index.ts',
  logging: 'src/library/logging.ts',
  'sd-notify': 'src/library/sd-notify.ts',
  testing: 'src/library/testing.ts',
};

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
          source: `import library from '../${file.fileName}';\nexport const {\n  ${names.join(',\n  ')},\n} = library;\n${isDefault ? 'export default library;\n' : ''}`,
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
    chunkFileNames: 'cjs/[name]-[hash].cjs',
    minify: false,
    // The types carry the documentation.
    comments: { legal: true, annotation: false, jsdoc: false },
  },
});
