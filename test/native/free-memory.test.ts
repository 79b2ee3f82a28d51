import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { native } from '../../src/systemd/native.js';

const child = fileURLToPath(new URL('./free-memory-child.mjs', import.meta.url));

/** What a process says that frees much memory, in KiB. */
function free(...argv: readonly string[]): Readonly<Record<string, number>> {
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', child, ...argv], {
    encoding: 'utf8',
    timeout: 15_000,
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Record<string, number>;
}

/** AddressSanitizer has an allocator of its own (sanitize.sh), in the place of the C library's. */
const replaced = process.env['LD_PRELOAD']?.includes('libasan') === true;

it.skipIf(replaced)(
  'hands back what was freed in the middle of the heap, which the C library keeps by itself',
  () => {
    // Of 117 MiB.
    expect(free('trim')['handedBack']).toBeGreaterThan(50 * 1024);
  },
);

it.skipIf(replaced)(
  'has the end of a thread’s arena handed back as soon as more than so much of it is free',
  () => {
    // Of 3.5 MiB.
    expect(free('limit', String(512 * 1024))['kept']).toBeLessThan(1024);
    expect(free('limit', String(64 * 1024 ** 2))['kept']).toBeGreaterThan(3 * 1024);
  },
);

it('refuses what is no size', () => {
  expect(native().malloc_trim(-1)).toBe(-22);
});
