import { expect, test } from 'vitest';
import { TerminalOutput } from '../../../src/agents/acp/terminal-output.js';

/** The output of bytes that come in pieces of that size. */
function kept(limitBytes: number, bytes: Buffer, pieceBytes: number) {
  const output = new TerminalOutput(limitBytes);
  for (let at = 0; at < bytes.length; at += pieceBytes) output.write(bytes.subarray(at, at + pieceBytes));
  return output.read();
}

test.each<[limit: number, output: string, truncated: boolean]>([
  [100, 'one ä two €', false],
  [14, 'one ä two €', false],
  [13, 'ne ä two €', true],
  [9, ' two €', true],
  [3, '€', true],
  [2, '', true],
  [0, '', true],
])('the last %i bytes of a text are whole characters, whatever the pieces', (limit, output, truncated) => {
  const bytes = Buffer.from('one ä two €');
  for (const piece of [1, 2, 3, 100]) expect(kept(limit, bytes, piece)).toEqual({ output, truncated });
});

test('a character that has begun is left out until it is whole', () => {
  const output = new TerminalOutput(100);
  output.write(Buffer.from([0x61, 0xe2, 0x82]));
  expect(output.read()).toEqual({ output: 'a', truncated: false });
  output.write(Buffer.from([0xac]));
  expect(output.read()).toEqual({ output: 'a€', truncated: false });
});

test('bytes that are no text stay within the limit as text', () => {
  const { output, truncated } = kept(100, Buffer.alloc(100, 0xff), 7);
  expect(output).toBe('\ufffd'.repeat(33));
  expect(truncated).toBe(true);
});

test('the end of a long output is what it would be in one piece, and takes no more memory', () => {
  const lines = Array.from({ length: 100_000 }, (_, at) => `line ${at}\n`).join('');
  const bytes = Buffer.from(lines);
  const before = process.memoryUsage().arrayBuffers;
  const output = new TerminalOutput(10_000);
  for (let at = 0; at < bytes.length; at += 7) output.write(bytes.subarray(at, at + 7));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  expect(output.read()).toEqual({ output: lines.slice(-10_000), truncated: true });
});
