import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unifiedDifference } from '../../src/units/drift.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-difference-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('a unified difference', () => {
  it('is as diff --unified writes it', () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
    const from = `${lines.join('\n')}\n`;
    const to = `${lines.with(3, 'other').toSpliced(15, 1).join('\n')}\nmore\n`;
    expect(unifiedDifference({ name: 'a', text: from }, { name: 'b', text: to })).toBe(
      [
        '--- a',
        '+++ b',
        '@@ -1,7 +1,7 @@',
        ...[' line 0', ' line 1', ' line 2', '-line 3', '+other', ' line 4', ' line 5', ' line 6'],
        '@@ -13,8 +13,8 @@',
        ...[' line 12', ' line 13', ' line 14', '-line 15', ' line 16', ' line 17', ' line 18', ' line 19'],
        '+more\n',
      ].join('\n'),
    );
  });

  it('turns one text into the other, by patch(1)’s account', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 30 })
      .map((lines) => lines.map((line) => `${line}\n`).join(''));
    fc.assert(
      fc.property(text, text, (from, to) => {
        const patch = unifiedDifference({ name: 'a', text: from }, { name: 'b', text: to });
        if (from === to) {
          expect(patch).toBe('');
          return;
        }
        const file = join(directory, 'file');
        writeFileSync(file, from);
        const { stdout, status } = spawnSync('patch', ['--silent', '--output=-', file], {
          input: patch,
          encoding: 'utf8',
        });
        expect({ stdout, status }).toEqual({ stdout: to, status: 0 });
      }),
      { numRuns: 60 },
    );
  });
});
