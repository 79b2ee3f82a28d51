import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberAt, parseTemplate, renderTemplate } from '../../src/text/template.js';

const payload = {
  repository: { full_name: 'ada/engine' },
  issue: { number: 7, title: 'It {grinds}', labels: [{ name: 'bug' }, { name: 'wheel' }], closed: false },
  empty: '',
  nothing: null,
  '': 1,
};

function rendered(template: string, limit = 1_000): string {
  return renderTemplate(parseTemplate(template), (path) => memberAt(payload, path), limit);
}

describe('a template', () => {
  it.each([
    ['{repository.full_name}: #{issue.number} {issue.title}', 'ada/engine: #7 It {grinds}'],
    ['{issue.labels.1.name} {issue.closed}', 'wheel false'],
    ['{issue.labels}', '[{"name":"bug"},{"name":"wheel"}]'],
    ['[{missing}{issue.missing.more}{nothing}]', '[]'],
    ['{missing|none} {nothing| a b } {issue.title|none}', 'none  a b  It {grinds}'],
    ['[{empty|none}]', '[]'],
    ['{issue.number|{{', null],
    ['{{{issue.number}}}', '{7}'],
    ['{{issue}}', '{issue}'],
    ['no place', 'no place'],
    ['{ issue.number }', '7'],
    ['{a|b|c}', 'b|c'],
  ])('%s', (template, wanted) => {
    if (wanted === null) expect(() => parseTemplate(template)).toThrow();
    else expect(rendered(template)).toBe(wanted);
  });

  it.each([
    ['{issue.title', 'has a "{" alone: write "{{" for the character itself'],
    ['a } b', 'has a "}" alone: write "}}" for the character itself'],
    ['{}', 'has "{}", which names nothing: write it as "{issue.title}"'],
    ['{a..b}', 'has "{a..b}", which names nothing: write it as "{issue.title}"'],
    ['{|none}', 'has "{|none}", which names nothing: write it as "{issue.title}"'],
  ])('is none: %s', (template, message) => {
    expect(() => parseTemplate(template)).toThrow(message);
  });

  it.each(['__proto__', 'constructor.name', 'issue.title.length', 'issue.labels.length', 'toString'])(
    'sees nothing but the members of the payload: %s',
    (path) => {
      expect(rendered(`{${path}|none}`)).toBe(path === 'issue.labels.length' ? '2' : 'none');
    },
  );

  it('is cut, without halving a character', () => {
    expect(rendered('{issue.title}', 5)).toBe('It {…');
    expect(rendered('abcde', 5)).toBe('abcde');
    expect(rendered('abc\u{1f600}de', 5)).toBe('abc…');
  });

  it('gives any text back whose braces are doubled', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const template = text.replace(/[{}]/g, (brace) => brace + brace);
        expect(rendered(template, text.length + 1)).toBe(text);
      }),
    );
  });

  it('gives at most as many characters as it may, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.integer({ min: 1, max: 30 }), (text, value, limit) => {
        const template = parseTemplate(`{a}${text.replace(/[{}]/g, '')}{a}`);
        expect(renderTemplate(template, () => value, limit).length).toBeLessThanOrEqual(limit);
      }),
    );
  });
});
