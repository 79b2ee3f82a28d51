import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = fileURLToPath(new URL('../../', import.meta.url));

export interface PackedLibrary {
  readonly tarball: string;
  /** The package as it is installed in `folder`. */
  readonly installed: string;
}

/** Packs the library with the addon that was built here as its only prebuilt binary, and installs it in `folder`. */
export function packLibrary(folder: string): PackedLibrary {
  const prebuilds = join(folder, 'prebuilds');
  const binary = join(prebuilds, `linux-${process.arch}`, 'sd-gateway.glibc.node');
  mkdirSync(join(binary, '..'), { recursive: true });
  cpSync(join(checkout, 'build/Release/sd_gateway.node'), binary);
  const printed = execFileSync('bash', [join(checkout, 'tools/library/pack.sh'), folder], {
    env: { ...process.env, PREBUILDS: prebuilds, TMPDIR: folder },
    encoding: 'utf8',
  });
  const tarball = join(folder, printed.trim().split('\n').at(-1) ?? '');
  const installed = join(folder, 'node_modules/@sd-gateway/systemd');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const dependency = join(folder, 'node_modules/node-gyp-build');
  cpSync(join(checkout, 'node_modules/node-gyp-build'), dependency, { recursive: true });
  return { tarball, installed };
}
