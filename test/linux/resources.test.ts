import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  openFiles,
  parseOpenFilesLimit,
  parseResidentMemory,
  ResidentMemory,
} from '../../src/linux/resources.js';

const limits = (
  soft: string,
) => `Limit                     Soft Limit           Hard Limit           Units     
Max processes             unlimited            unlimited            processes 
Max open files            ${soft.padEnd(20)} 524288               files     
`;

test.each([
  [limits('1024'), 1_024],
  [limits('unlimited'), Number.POSITIVE_INFINITY],
  ['', null],
])('the limit of open files is the soft one, of %#', (text, limit) => {
  expect(parseOpenFilesLimit(text)).toBe(limit);
});

test('the descriptors of this process are counted', () => {
  const { open, limit } = openFiles();
  const more = openSync('/dev/null', 'r');
  expect(openFiles()).toEqual({ limit, open: (open ?? 0) + 1 });
  closeSync(more);
  expect(openFiles()).toEqual({ limit, open });
});

test('the memory in use is read without a further descriptor, and follows what is taken', () => {
  expect(parseResidentMemory('Name:\tnode\nVmRSS:\t   81234 kB\nRssAnon:\t1 kB\n')).toBe(81_234 * 1_024);
  expect(parseResidentMemory('Name:\tkthreadd\n')).toBeNull();
  const memory = ResidentMemory.open();
  const before = memory?.bytes() ?? 0;
  const { open } = openFiles();
  const taken = Buffer.alloc(64 * 1_024 ** 2, 1);
  expect(memory?.bytes()).toBeGreaterThan(before + taken.length / 2);
  expect(openFiles().open).toBe(open);
});
