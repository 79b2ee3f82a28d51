import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const top = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;

// The package as it is after an install without scripts: built TypeScript, no addon.
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-loader-'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "sd-gateway", "type": "module" }');
  for (const part of ['dist/linux', 'dist/text']) {
    cpSync(join(top, part), join(folder, part), { recursive: true });
  }
  cpSync(join(top, 'node_modules/node-gyp-build'), join(folder, 'node_modules/node-gyp-build'), {
    recursive: true,
  });
});

afterEach(() => rmSync(folder, { recursive: true }));

function load() {
  const program = `
    import { native } from './dist/linux/native.js';
    try { native(); } catch (error) {
      process.stdout.write(JSON.stringify({ name: error.name, message: error.message, cause: String(error.cause) }));
    }`;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: folder,
    // The sanitizers' run names a binary of its own by it.
    env: { ...process.env, SD_GATEWAY_PREBUILD: undefined },
    encoding: 'utf8',
  });
  return JSON.parse(run.stdout);
}

it('says what to run when no binary was built', () => {
  const { name, message } = load();
  expect(name).toBe('NativeAddonError');
  expect(message).toContain('npm rebuild sd-gateway');
  expect(message).toContain('C++ compiler, make and python3');
  expect(message).toContain(`architecture ${process.arch}`);
  expect(message).toContain(`ABI ${process.versions.modules}`);
  expect(message).toContain(folder);
});

it('names the cause when the binary is for another machine', () => {
  mkdirSync(join(folder, 'build/Release'), { recursive: true });
  writeFileSync(join(folder, 'build/Release/sd_gateway.node'), 'not a library');
  const { name, message, cause } = load();
  expect(name).toBe('NativeAddonError');
  expect(message).toContain('sd_gateway.node');
  expect(cause).toContain('sd_gateway.node');
});
