import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin, type RolldownOptions } from 'rolldown';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };

/** A program that loads the package both ways has one state, and one set of classes for `instanceof`. */
const shared = `globalThis[Symbol.for('@sd-gateway/systemd ${version}')]`;

/** Node.js would read an imported CommonJS file for the names of its exports, which takes longer than all the rest. */
const load = "createRequire(new URL('../cjs/', import.meta.url))";

/** The package's first file as a module. It has the text itself: Node.js's loader of CommonJS takes a third of an import. */
function firstModule(code: string): string {
  return `const require = (file) => process.getBuiltinModule('node:module').${load}(file);
const library = ${shared} ??= ((exports) => {
${code}
return exports;
})({});
`;
}

function handedOn(name: string): string {
  return `import { createRequire } from 'node:module';\nconst library = ${load}('./${name}.cjs');\n`;
}

/** ES modules with the exports of the CommonJS files. */
function moduleEntries(): Plugin {
  return {
    name: 'module-entries',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'chunk' || !file.isEntry || file.name === 'library') continue;
        const { name, exports } = file;
        const library = name === 'index' ? firstModule(file.code) : handedOn(name);
        const names = exports.filter((exported) => exported !== 'default').sort();
        const types = `../types/library/${name}.js`;
        const isDefault = name === 'sd-notify';
        this.emitFile({
          type: 'asset',
          fileName: `esm/${name}.mjs`,
          source: `${library}export const {\n  ${names.join(',\n  ')},\n} = library;\n${isDefault ? 'export default library;\n' : ''}`,
        });
        this.emitFile({
          type: 'asset',
          fileName: `esm/${name}.d.mts`,
          source: `export * from '${types}';\n${isDefault ? `import * as library from '${types}';\nexport default library;\n` : ''}`,
        });
        if (name === 'index') file.code += `\nmodule.exports = ${shared} ??= exports;\n`;
      }
    },
  };
}

const common = { platform: 'node', plugins: [moduleEntries()] } satisfies RolldownOptions;

const output = {
  format: 'cjs',
  exports: 'named',
  esModule: false,
  dir: `${process.env['PACKAGE'] ?? 'dist/package'}/dist`,
  entryFileNames: 'cjs/[name].cjs',
  chunkFileNames: 'cjs/[name].cjs',
  minify: false,
  // The types carry the documentation.
  comments: { legal: true, annotation: false, jsdoc: false },
} as const;

/** The files that `supervise` loads when it is called. */
const ofService =
  /src\/(library\/managed-service|lifecycle\/(state|status-line|supervise|timeouts|effects\/[\w-]+)|systemd\/timeout-extension)\.ts$/;
/** Each of these is a file by itself, but for what several need. */
const entries = /src\/library\/(index|logging|sd-notify|testing)\.ts$/;
/** These are in the package's first file. */
const errors = /src\/linux\/errors\.ts$/;

/** The code of `@sd-gateway/systemd`, two levels below the package as src/linux/native.ts expects. */
export default defineConfig([
  { ...common, external: ['./cjs/library.cjs'], input: { index: 'src/library/entry.ts' }, output },
  {
    ...common,
    external: ['node-gyp-build', errors],
    input: {
      library: 'src/library/index.ts',
      logging: 'src/library/logging.ts',
      'sd-notify': 'src/library/sd-notify.ts',
      testing: 'src/library/testing.ts',
    },
    output: {
      ...output,
      paths: (id: string) => (errors.test(id) ? './cjs/index.cjs' : id),
      // Few files, as each costs a search, a read and a compilation: what most calls need, and what `supervise` loads.
      codeSplitting: {
        groups: [
          { name: 'functions', test: (file) => !ofService.test(file) && !entries.test(file) },
          { name: 'service', test: ofService },
        ],
      },
    },
  },
]);
