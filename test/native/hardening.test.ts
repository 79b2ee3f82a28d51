import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const addon = fileURLToPath(new URL('../../build/Release/sd_gateway.node', import.meta.url));

it('the addon checks its stack and the sizes of its buffers (-fstack-protector-strong, _FORTIFY_SOURCE)', () => {
  const undefinedSymbols = execFileSync('nm', ['--dynamic', '--undefined-only', addon], { encoding: 'utf8' });
  expect(undefinedSymbols).toContain(' __stack_chk_fail');
  expect(undefinedSymbols).toMatch(/ __(?!stack)\w+_chk\b/);
});
