import { readFileSync } from 'node:fs';
import { defineConfig, type RolldownOptions } from 'rolldown';
import { bundledByItself } from './tools/bundled-by-itself.js';
import { bundledRequire } from './tools/bundled-require.js';
import { commonJsFolders } from './tools/common-js-folders.js';
import { leftOut, leftOutOf } from './tools/left-out.js';
import { thirdPartyNotices } from './tools/third-party-notices.js';

const notices = thirdPartyNotices();

const common = {
  platform: 'node',
  plugins: [
    // Fastify loads them for its own schemas, logger and tests, of which there are none here.
    leftOut(['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'pino', 'light-my-request']),
    // It would bind by itself with the first three; the program has servers of its own (src/channels/http/server/servers.ts). The
    // last one checks what plugins ask for, of which there are none.
    leftOutOf('fastify', ['node:https', 'node:http2', 'node:dns', 'semver']),
    notices,
  ],
} satisfies RolldownOptions;

const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly engines: { readonly node: string };
};
const [oldestMajor, oldestMinor] = engines.node.replace('>=', '').split('.').map(Number);

/**
 * Stands before anything that an older Node.js may not have, and in its language. The status 78 keeps systemd from starting
 * it again and again.
 */
const versionCheck = `(function () {
  var version = process.versions.node.split('.').map(Number);
  if (version[0] > ${oldestMajor} || (version[0] === ${oldestMajor} && version[1] >= ${oldestMinor})) return;
  require('fs').writeSync(2, 'sd-gateway: Node.js ' + process.versions.node + ' (' + process.execPath +
    ') is too old: ${oldestMajor}.${oldestMinor} or later is needed. Nothing was done.\\n');
  process.exit(78);
})();`;

/**
 * The packages of the e-mail channel are loaded if one is configured, and are there only if they are installed. The
 * store's commands load SQLite's packages as they are installed.
 */
const installed = ['node-gyp-build', 'imapflow', 'mailparser', /^nodemailer\//];

const commonJs = {
  // Node.js is ready for CommonJS sooner than for modules.
  format: 'cjs',
  minify: false,
  // V8 keeps a script's text for as long as it runs, in half the memory where no character needs two bytes.
  charset: 'ascii',
  comments: { legal: true, annotation: false, jsdoc: false },
} as const;

/**
 * The program as it is shipped. It takes the place of the compiler's dist/cli/main.js; the compiler's other modules are
 * for the tests.
 *
 * All that is done for a quick start, with its worth, of 175 ms on 2 processors with Node.js 20. Anything worth less than
 * 10 ms goes.
 *
 * | measure | worth |
 * | --- | --- |
 * | few files: opening and compiling hundreds takes longer than all else | 200 ms |
 * | the gateway is bundled by itself, so that no command's needs split what it loads into 46 files | 15 ms |
 * | the HTTP client of replies is loaded once the gateway serves (`createLazyWebhookSender`) | 50 ms |
 * | what V8 compiles is kept in the package by its installation (src/cli/compile.ts); a stop gains 10 ms | 90 ms |
 * | the store's thread is started before the gateway is loaded (`newStoreThread`) | 60 ms |
 * | packages that Fastify loads for nothing are left out (`leftOut`) | 20 ms |
 * | Node.js's modules that Fastify loads for nothing are left out (`leftOutOf`), and 1 MiB with them | 10 ms |
 * | texts have ASCII alone (`charset`), and half the memory with it | 10 ms |
 *
 * All files are two levels below the package, as the modules of src are that look for files of the package. The hash
 * in a name keeps a running gateway from loading a part of another version after an upgrade.
 */
export default defineConfig([
  {
    ...common,
    external: installed,
    plugins: [
      ...common.plugins,
      commonJsFolders(['cli', 'bundle']),
      bundledByItself('src/cli/main.ts', './run.js', '../bundle/run.js'),
    ],
    input: {
      'cli/main': 'src/cli/main.ts',
      // Programs that Node.js is given by file name.
      'bundle/agent-probe': 'src/doctor/facts/agent-probe.ts',
      'bundle/compile': 'src/cli/compile.ts',
      'bundle/node-probe': 'src/doctor/facts/node-probe.ts',
      'bundle/isolated-worker': 'src/channels/isolated/isolated-worker.ts',
      'bundle/integrity-probe': 'src/store/sqlite/integrity-probe.ts',
    },
    output: {
      ...commonJs,
      banner: ({ name }) => (name === 'cli/main' ? versionCheck : ''),
      dir: 'dist',
      entryFileNames: '[name].js',
      chunkFileNames: 'bundle/[name]-[hash].js',
      // Of the program that is bundled by itself, too: Node.js takes milliseconds to be ready for `import`.
      dynamicImportInCjs: false,
    },
  },
  {
    ...common,
    // The gateway: all that a start loads is in one file, and only what it may need is in others.
    external: installed,
    input: { 'bundle/run': 'src/cli/run.ts' },
    output: {
      ...commonJs,
      dir: 'dist',
      entryFileNames: '[name].js',
      chunkFileNames: 'bundle/[name]-[hash].js',
      codeSplitting: { groups: [{ name: 'gateway', test: /src\/(cli|gateway)\/run\.ts$/ }] },
    },
  },
  {
    ...common,
    // A program of the build; by itself, so that it shares no file with the program.
    input: { 'cli/write-man-pages': 'src/cli/write-man-pages.ts' },
    output: { ...commonJs, dir: 'dist', entryFileNames: '[name].js', codeSplitting: false },
  },
  {
    ...common,
    // A thread shares no loaded module with another: one file, with all of SQLite's packages but their binaries.
    external: ['node-gyp-build', 'bindings'],
    plugins: [...common.plugins, bundledRequire('src/store/sqlite/file/open-sqlite.ts')],
    input: { 'bundle/sqlite-worker': 'src/store/sqlite/thread/sqlite-worker.ts' },
    output: { ...commonJs, dir: 'dist', entryFileNames: '[name].js', codeSplitting: false },
  },
]);
