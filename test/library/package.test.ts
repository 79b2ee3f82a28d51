import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as library from '../../src/library/index.js';
import { type FakeManager, fakeManager } from '../../src/library/testing.js';
import { packLibrary } from '../support/library-package.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
const everythingMustRun = process.env['CI'] === 'true';
const checkers = fileURLToPath(new URL('./node_modules/', import.meta.url));

let folder: string;
let tarball: string;
/** The package as it is installed. */
let installed: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-library-'));
  ({ tarball, installed } = packLibrary(folder));
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program in a project that has the package; gives what it printed as JSON. */
function run(program: string, ...options: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...options, '-e', program], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '' },
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

describe('the tarball', () => {
  it('has one dependency, a complete description, and no binding.gyp that npm would compile by itself', () => {
    const described = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(Object.keys(described.dependencies)).toEqual(['node-gyp-build']);
    expect(described).toMatchObject({
      name: '@sd-gateway/systemd',
      license: 'MIT',
      engines: { node: '>=20.19' },
    });
    expect(described.os).toBeUndefined();
    expect(described.keywords.length).toBeGreaterThan(5);
    expect(existsSync(join(installed, 'binding.gyp'))).toBe(false);
    for (const file of ['README.md', 'LICENSE', 'native/binding.gyp', 'native/notify.cc']) {
      expect(existsSync(join(installed, file)), file).toBe(true);
    }
  });

  it.each(['module', 'CommonJS'])(
    'is the same library for both kinds of import, with the %s first',
    (first) => {
      const program = `
      import { createRequire } from 'node:module';
      const load = {
        module: () => import('@sd-gateway/systemd'),
        CommonJS: () => createRequire(process.cwd() + '/x.js')('@sd-gateway/systemd'),
      };
      await load[${JSON.stringify(first)}]();
      const [module, common] = [await load.module(), load.CommonJS()];
      const same = Object.keys(common).every((name) => common[name] === module[name]);
      let thrown;
      try { module.notify({}); } catch (error) { thrown = error instanceof common.ArgumentError; }
      console.log(JSON.stringify([same, Object.keys(common), Object.keys(module), thrown]));`;
      const names = Object.keys(library).sort();
      expect(run(program, '--input-type=module')).toEqual([true, names, names, true]);
    },
  );

  it('has the functions of all its parts', () => {
    const program = `
      const library = require('@sd-gateway/systemd');
      const shape = (value) => typeof value === 'object' ? Object.keys(value).sort() : [typeof value, value.name];
      console.log(JSON.stringify(Object.entries(library).map(([name, value]) => [name, shape(value)]).sort()));`;
    const shape = (value: object): unknown =>
      typeof value === 'object' ? Object.keys(value).sort() : [typeof value, (value as () => void).name];
    const wanted = Object.entries(library).map(([name, value]) => [name, shape(value)]);
    expect(run(program)).toEqual(wanted.sort());
  });

  it('starts no timer, loads no addon and opens no socket before it is used', () => {
    // It ends by itself, too: `run` waits for that.
    const program = `
      const before = require('node:fs').readdirSync('/proc/self/task').length;
      for (const name of ['', '/logging', '/sd-notify', '/testing']) require('@sd-gateway/systemd' + name);
      const loaded = process.report.getReport().sharedObjects.some((file) => file.includes('sd-gateway'));
      const threads = () => require('node:fs').readdirSync('/proc/self/task').length;
      const active = process.getActiveResourcesInfo().filter((name) => !/TTY|Pipe/.test(name));
      console.log(JSON.stringify([active, loaded, threads() - before]));`;
    expect(run(program)).toEqual([[], false, 0]);
  });

  it.skipIf(!everythingMustRun && !existsSync(join(checkers, 'publint')))(
    'has types and entries that TypeScript, Node.js and bundlers agree on (npm ci --prefix test/library)',
    async () => {
      const { checkPackage, createPackageFromTarballData } = await import(
        join(checkers, '@arethetypeswrong/core/dist/index.js')
      );
      const { publint } = await import(join(checkers, 'publint/src/index-node.js'));
      const packed = createPackageFromTarballData(new Uint8Array(readFileSync(tarball)));
      const { problems } = await checkPackage(packed);
      // Node.js 10 and the TypeScript of its time knew no `exports`; the package needs Node.js 20.19.
      const modern = problems.filter(
        (problem: { resolutionKind?: string }) => problem.resolutionKind !== 'node10',
      );
      expect(modern).toEqual([]);
      const { messages } = await publint({ pkgDir: installed, strict: true });
      expect(messages).toEqual([]);
    },
    60_000,
  );
});

describe('where there is no Linux', () => {
  let preload: readonly string[];
  beforeAll(() => {
    const pretend = "Object.defineProperty(process, 'platform', { value: 'darwin' })";
    preload = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`];
  });

  it('the install does nothing, with or without a compiler', () => {
    const bare = join(folder, 'bare');
    mkdirSync(bare);
    cpSync(join(installed, 'install.cjs'), join(bare, 'install.cjs'));
    const install = spawnSync(process.execPath, [...preload, join(bare, 'install.cjs')], { env: {} });
    expect([install.status, String(install.stdout), String(install.stderr)]).toEqual([0, '', '']);
  });

  it('every call answers that nobody supervises', () => {
    const program = `
      const sd = require('@sd-gateway/systemd');
      process.env.NOTIFY_SOCKET = '/run/systemd/notify';
      const watch = sd.onSignal('SIGTERM', () => {});
      watch.close();
      sd.barrier(10).then((barrier) => console.log(JSON.stringify({
        notify: sd.notify({ ready: true, status: 'x' }),
        barrier,
        listenFds: sd.listenFds(),
        put: sd.fdStore.put('name', 0),
        take: sd.fdStore.take('name'),
        remove: sd.fdStore.remove('name'),
        journal: sd.journal.send({ MESSAGE: 'x' }),
        watchdog: sd.watchdogEnabled(),
        booted: sd.booted(),
        supervised: sd.supervision().supervised,
      })));`;
    const notSupervised = { outcome: 'not-supervised' };
    expect(run(program, ...preload)).toEqual({
      notify: notSupervised,
      barrier: notSupervised,
      listenFds: [],
      put: notSupervised,
      take: [],
      remove: notSupervised,
      journal: { outcome: 'unavailable' },
      watchdog: { enabled: false },
      booted: false,
      supervised: false,
    });
  });
});

describe('the install on Linux', () => {
  it('compiles nothing where a prebuilt binary fits', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(installed, 'install.cjs')], {
      env: { PATH: '/nonexistent' },
    });
    expect([status, String(stdout), String(stderr)]).toEqual([0, '', '']);
  });

  it('compiles where none does, from the sources in the package', () => {
    const other = join(folder, 'compiled');
    cpSync(installed, other, { recursive: true });
    rmSync(join(other, 'prebuilds'), { recursive: true });
    symlinkSync(join(checkout, 'node_modules'), join(folder, 'compiled/node_modules'));
    const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
    const install = spawnSync(process.execPath, [join(other, 'install.cjs')], {
      env: { ...process.env, npm_config_node_gyp: nodeGyp, CXXFLAGS: '-O0' },
      encoding: 'utf8',
    });
    expect(install.status, install.stderr).toBe(0);
    const program = `console.log(JSON.stringify(require(${JSON.stringify(other)}).notify({ ready: true })))`;
    expect(run(program)).toEqual({ outcome: 'not-supervised' });
  }, 120_000);
});

describe('each program on the page of frameworks and languages', () => {
  const page = readFileSync(join(checkout, 'docs/library/frameworks.md'), 'utf8');
  const fenced = /^```(?:js|ts)\n\/\/ (\S+)\n(.*?)^```$/gms;
  const programs = new Map(
    [...page.matchAll(fenced)].map(([, name = '', code = '']) => [name, code] as const),
  );
  const queue = `
    let jobs = 1;
    export const queue = {
      take: () => new Promise((resolve) => { if (jobs-- > 0) resolve({ id: 'job 1' }); }),
      ping: async () => undefined,
      acknowledge: async (job) => console.log('done:', job.id),
    };
    export const work = () => new Promise((resolve) => process.once('SIGTERM', () => setTimeout(resolve, 50)));`;
  let manager: FakeManager;

  /** The programs in JavaScript on a page of docs/library. */
  function blocksOf(name: string): readonly string[] {
    const text = readFileSync(join(checkout, 'docs/library', name), 'utf8');
    return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code);
  }

  const blockOf = (name: string): string => blocksOf(name)[0] ?? '';

  beforeAll(() => {
    for (const [name, code] of programs) writeFileSync(join(folder, name), code);
    writeFileSync(join(folder, 'queue.mjs'), queue);
    const modules = join(folder, 'node_modules');
    symlinkSync(join(checkout, 'node_modules/fastify'), join(modules, 'fastify'));
    symlinkSync(join(checkout, 'node_modules/@types'), join(modules, '@types'));
    for (const name of ['express', 'pino']) symlinkSync(join(checkers, name), join(modules, name));
  });

  beforeEach(() => {
    manager = fakeManager({ watchdogMicroseconds: 1_000_000n });
  });

  afterEach(() => manager.close());

  /** Starts a program as a unit has it: this process is its parent, so a signal of it is the supervisor's. */
  function start(program: string, environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [program], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        INVOCATION_ID: '0123456789abcdef0123456789abcdef',
        ...manager.environment,
        ...environment,
      },
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
    const exit = once(child, 'exit');
    return {
      stop: async () => {
        child.kill('SIGTERM');
        const [status] = await exit;
        return [status, printed];
      },
      told: (wanted: string) =>
        Promise.race([
          manager.next(({ text }) => text.includes(wanted)),
          exit.then(() => expect.fail(`It ended before ${wanted}: ${printed}`)),
        ]),
    };
  }

  async function freePort(): Promise<number> {
    const server = createServer().listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    return port;
  }

  async function serves(program: string): Promise<void> {
    const port = await freePort();
    const service = start(program, { PORT: String(port) });
    await service.told('READY=1\nSTATUS=Serving');
    await service.told('WATCHDOG=1');
    const response = await fetch(`http://localhost:${port}/`);
    expect(await response.text()).toBe('hello');
    expect(await service.stop()).toEqual([0, expect.stringContaining('Stopping: planned stop')]);
  }

  it('is known to the tests', () => {
    const all = ['fastify.mjs', 'express.mjs', 'worker.mjs', 'server.cjs', 'service.mts', 'service.cts'];
    expect([...programs.keys()]).toEqual(all);
  });

  it.each(['fastify.mjs', 'server.cjs'])('%s starts, serves, is watched and stops with 0', serves);

  it.skipIf(!everythingMustRun && !existsSync(join(checkers, 'express')))(
    'express.mjs does (npm ci --prefix test/library)',
    () => serves('express.mjs'),
  );

  it('both of TypeScript are compiled, and do', async () => {
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const tsc = spawnSync(
      join(checkout, 'node_modules/.bin/tsc'),
      [...options, 'service.mts', 'service.cts'],
      { cwd: folder, encoding: 'utf8' },
    );
    expect(tsc.stdout).toBe('');
    await serves('service.mjs');
    await serves('service.cjs');
  }, 60_000);

  it('so is the one of the page on tests, which passes', () => {
    cpSync(join(checkout, 'examples/http.mjs'), join(folder, 'http.mjs'));
    writeFileSync(join(folder, 'http.test.mjs'), blockOf('testing.md'));
    const { status, stdout } = spawnSync(process.execPath, ['--test', 'http.test.mjs'], {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    expect(stdout).toMatch(/pass 1\b/);
    expect(status).toBe(0);
  });

  it('so is the one line of the page on migrating', async () => {
    writeFileSync(join(folder, 'migrated.cjs'), blockOf('migrating.md'));
    start('migrated.cjs');
    expect((await manager.next()).text).toBe('READY=1');
  });

  it.skipIf(!everythingMustRun && !existsSync(join(checkers, 'pino')))(
    'so are those of the page on logging (npm ci --prefix test/library)',
    () => {
      writeFileSync(join(folder, 'logging.mjs'), blocksOf('logging.md').join('\n'));
      const { status, stderr } = spawnSync(process.execPath, ['logging.mjs'], {
        cwd: folder,
        encoding: 'utf8',
      });
      // Where there is no journal they write there.
      expect(['order taken\norder taken\n', '']).toContain(stderr);
      expect(status).toBe(0);
    },
  );

  it('worker.mjs ends its job before it stops', async () => {
    const worker = start('worker.mjs');
    await worker.told('STATUS=Working on job 1');
    expect(await worker.stop()).toEqual([0, expect.stringContaining('done: job 1')]);
  });
});
