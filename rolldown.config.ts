import { defineConfig } from 'rolldown';
import { leftOut } from './tools/left-out.js';
import { thirdPartyNotices } from './tools/third-party-notices.js';

/**
 * The program as it is shipped: few files, as opening and compiling hundreds is most of what a start would take. It
 * takes the place of the compiler's dist/cli/main.js; the compiler's other modules are for the tests.
 *
 * All files are two levels below the package, as the modules of src are that look for files of the package.
 */
export default defineConfig({
  input: {
    'cli/main': 'src/cli/main.ts',
    // Programs and threads that Node.js is given by file name.
    'bundle/sqlite-worker': 'src/store/sqlite/sqlite-worker.ts',
    'bundle/node-probe': 'src/doctor/node-probe.ts',
    'bundle/integrity-probe': 'src/doctor/integrity-probe.ts',
  },
  platform: 'node',
  // With binaries of their own, which are looked for in their folders.
  external: ['better-sqlite3', 'node-gyp-build'],
  plugins: [
    // Fastify loads them for its own schemas, logger and tests, of which there are none here.
    leftOut(['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'pino', 'light-my-request']),
    thirdPartyNotices(),
  ],
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    // The hash keeps a running gateway from loading a part of another version after an upgrade.
    chunkFileNames: 'bundle/[name]-[hash].js',
  },
});
