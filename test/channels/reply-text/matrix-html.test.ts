import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasMarkup, matrixHtml } from '../../../src/channels/reply-text/matrix-html.js';
import { formReply } from '../../../src/channels/reply-text/reply-form.js';
import { textOfMatrixHtml } from '../../support/matrix-schema.js';

const form = matrixHtml();
const html = (markdown: string) => formReply(markdown, form).map(({ formed }) => formed);

describe('Markdown', () => {
  it.each([
    ['**bold**, *italic* and ~~gone~~', '<strong>bold</strong>, <em>italic</em> and <del>gone</del>'],
    ['a\nb\n\nc', 'a<br>b<br><br>c'],
    ['`a < b`', '<code>a &lt; b</code>'],
    [
      '[a **link**](https://a.example/?x=1&y="2")',
      expect.stringContaining(
        '<a href="https://a.example/?x=1&amp;y=&quot;2&quot;">a <strong>link</strong></a>',
      ),
    ],
    ['[x](javascript:alert(1))', 'x (javascript:alert(1))'],
    ['<img src=x onerror=y> @room', '&lt;img src=x onerror=y&gt; @room'],
    [
      'see:\n\n```js\nif (a) {\n\n  b();\n}\n```\n\nend',
      'see:<pre><code class="language-js">if (a) {\n\n  b();\n}</code></pre>end',
    ],
    ['> said\n> twice\n\nhe', '<blockquote>said<br>twice</blockquote>he'],
  ])('becomes HTML: %j', (markdown, expected) => {
    expect(html(markdown)).toEqual([expected]);
  });

  it.each([
    ['plain\n\ntext & more', false],
    ['**bold**', true],
    ['[a](https://a.example)', true],
  ])('has markup, or has none: %j', (markdown, expected) => {
    expect(formReply(markdown, form).map(hasMarkup)).toEqual([expected]);
  });
});

describe('of any text', () => {
  it('every part is valid by itself, and an edit with it is within the limit of an event', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '**',
        '*',
        '`',
        '```\n',
        '> ',
        '# ',
        '\n',
        '\n\n',
        '~~',
        '|a|b|\n|-|-|\n|1|2|\n',
        '"\\',
      ),
      fc.constantFrom('[l](https://l.example/"x")', '<b>', '&amp;', '\u0001', '👩‍💻'),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.nat(1_500).map((count) => '"<\\'.repeat(count)),
      fc.nat(1_500).map((count) => '*a* '.repeat(count)),
      fc.nat(3_000).map((count) => '\n'.repeat(count)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        for (const { formed, plain } of formReply(pieces.join(''), form)) {
          textOfMatrixHtml(formed);
          const edit = [`* ${plain}`, plain, formed];
          expect(Buffer.byteLength(JSON.stringify(edit))).toBeLessThanOrEqual(60_000);
        }
      }),
      { numRuns: 12 },
    );
  });
});
