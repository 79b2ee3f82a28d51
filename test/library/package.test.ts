import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  it('is the same library for a module and for CommonJS', () => {
    const program = `
      import * as module from '@sd-gateway/systemd';
      import { createRequire } from 'node:module';
      const common = createRequire(process.cwd() + '/x.js')('@sd-gateway/systemd');
      const same = Object.keys(common).every((name) => common[name] === module[name]);
      console.log(JSON.stringify([same, Object.keys(common).length === Object.keys(module).length]));`;
    expect(run(program, '--input-type=module')).toEqual([true, true]);
  });

  it('starts no timer, loads no addon and opens no socket before it is used', () => {
    const program = `
      require('@sd-gateway/systemd');
      const loaded = process.report.getReport().sharedObjects.some((file) => file.includes('sd-gateway'));
      const threads = require('node:fs').readdirSync('/proc/self/task').length;
      console.log(JSON.stringify([process.getActiveResourcesInfo().filter((name) => !/TTY|Pipe/.test(name)), loaded]));`;
    expect(run(program)).toEqual([[], false]);
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
