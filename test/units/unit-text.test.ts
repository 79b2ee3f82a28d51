import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judge, readChoices, seal } from '../../src/units/unit-text.js';

describe('the seal', () => {
  it('tells every edit', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), fc.nat(), (body, inserted, at) => {
        const sealed = seal(body);
        expect(judge(sealed)).toBe('own');
        const header = sealed.length - body.length;
        const place = header + (at % (body.length + 1));
        const edited = sealed.slice(0, place) + inserted + sealed.slice(place);
        expect(judge(edited)).toBe('edited');
      }),
    );
  });

  it.each([
    ['', 'foreign'],
    ['[Service]\nExecStart=/bin/true\n', 'foreign'],
    [`\n${seal('x')}`, 'foreign'],
    [seal('x').replace(/[0-9a-f]\n/, 'z\n'), 'foreign'],
    [seal('x').replace(/: [0-9a-f]{64}/, `: ${'0'.repeat(64)}`), 'edited'],
    [seal(''), 'own'],
  ])('%j is %s', (text, expected) => {
    expect(judge(text)).toBe(expected);
  });
});

describe('the choices of an installed unit', () => {
  it.each(['', '# Choices: {', '# Choices: null', '# Choices: {"node":1}', '# Choices: []'])(
    'can’t be read from %j',
    (text) => {
      expect(readChoices(`# Something\n${text}\n[Unit]\n`)).toBeNull();
    },
  );
});
