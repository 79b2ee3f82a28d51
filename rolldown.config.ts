import { fileURLToPath } from 'node:url';
import { defineConfig, type RolldownOptions } from 'rolldown';
import { leftOut } from './tools/left-out.js';
import { thirdPartyNotices } from './tools/third-party-notices.js';

const notices = thirdPartyNotices();

const common = {
  platform: 'node',
  // With binaries of their own, which are looked for in their folders.
  external: ['better-sqlite3', 'node-gyp-build'],
  plugins: [
    // Fastify loads them for its own schemas, logger and tests, of which there are none here.
    leftOut(['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'pino', 'light-my-request']),
    notices,
  ],
} satisfies RolldownOptions;

/**
 * The program as it is shipped: few files, as opening and compiling hundreds is most of what a start would take. It
 * takes the place of the compiler's dist/cli/main.js; the compiler's other modules are for the tests.
 *
 * All files are two levels below the package, as the modules of src are that look for files of the package. The hash
 * in a name keeps a running gateway from loading a part of another version after an upgrade.
 */
export default defineConfig([
  {
    ...common,
    input: {
      'cli/main': 'src/cli/main.ts',
      // Programs and threads that Node.js is given by file name.
      'bundle/sqlite-worker': 'src/store/sqlite/sqlite-worker.ts',
      'bundle/node-probe': 'src/doctor/node-probe.ts',
      'bundle/integrity-probe': 'src/doctor/integrity-probe.ts',
    },
    resolve: {
      alias: {
        './load-gateway.js': fileURLToPath(new URL('src/cli/load-bundled-gateway.ts', import.meta.url)),
      },
    },
    output: {
      dir: 'dist',
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'bundle/[name]-[hash].js',
    },
  },
  {
    ...common,
    // By itself: one file for the start, as CommonJS, for which Node.js 20 has a code cache (src/cli/compiled-script.ts).
    input: { 'bundle/gateway': 'src/gateway/run.ts' },
    output: {
      dir: 'dist',
      format: 'cjs',
      // What is kept of it goes by its name.
      entryFileNames: '[name]-[hash].cjs',
      chunkFileNames: 'bundle/[name]-[hash].cjs',
      // V8 keeps a script's text for as long as it runs: in half the memory where no character needs two bytes.
      charset: 'ascii',
      comments: { legal: true, annotation: false, jsdoc: false },
    },
  },
]);
