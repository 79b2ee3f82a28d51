import { describe, expect, it } from 'vitest';
import { counted } from '../../src/text/counted.js';

describe('a number with its noun', () => {
  it.each([
    [0, 'turn', undefined, '0 turns'],
    [1, 'turn', undefined, '1 turn'],
    [2, 'turn', undefined, '2 turns'],
    [1, 'reply is sent', 'replies are sent', '1 reply is sent'],
    [2, 'reply is sent', 'replies are sent', '2 replies are sent'],
  ])('puts %i %s', (number, noun, plural, expected) => {
    expect(counted(number, noun, plural)).toBe(expected);
  });
});
