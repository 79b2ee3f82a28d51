import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainFileName, plainMediaType } from '../../src/text/file-name.js';
import { unicodeText } from '../fuzz/unicode-text.js';

describe('the name of a file', () => {
  it.each([
    ['photo.png', 'photo.png'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\ada\\report.pdf', 'report.pdf'],
    ['/', 'file'],
    ['', 'file'],
    ['.', 'file'],
    ['a/..', 'file'],
    ['.bashrc', '.bashrc'],
    ['a\0b\r\nc.txt', 'abc.txt'],
    ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    [' a b ', 'a b'],
    ['e\u0301.txt', '\u00e9.txt'],
    ['\ud800.txt', '.txt'],
    ['say "hi".txt', 'say "hi".txt'],
    [`${'a'.repeat(300)}.tar`, `${'a'.repeat(251)}.tar`],
    ['\u20ac'.repeat(100), '\u20ac'.repeat(85)],
  ])('of %j is %j', (given, expected) => {
    expect(plainFileName(given)).toBe(expected);
  });

  it('is one that any file system takes, and stays as it is', () => {
    fc.assert(
      fc.property(unicodeText({ maxLength: 400 }), (given) => {
        const name = plainFileName(given);
        expect(name).not.toMatch(/[/\\\0\p{Cc}\p{Surrogate}\u202a-\u202e]/u);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
        expect(['', '.', '..']).not.toContain(name);
        expect(plainFileName(name)).toBe(name);
      }),
    );
  });
});

it.each([
  ['image/PNG; q=1', 'image/png'],
  ['text/plain', 'text/plain'],
  ['application/vnd.api+json', 'application/vnd.api+json'],
  ['text/html\r\nx: y', 'application/octet-stream'],
  ['image', 'application/octet-stream'],
  [`a/${'b'.repeat(128)}`, 'application/octet-stream'],
  [null, 'application/octet-stream'],
])('the media type of %j is %j', (given, expected) => {
  expect(plainMediaType(given)).toBe(expected);
});
