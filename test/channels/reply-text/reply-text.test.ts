import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { discordMarkdown } from '../../../src/channels/reply-text/discord-markdown.js';
import { markdownSource } from '../../../src/channels/reply-text/markdown-source.js';
import { matrixHtml } from '../../../src/channels/reply-text/matrix-html.js';
import { plainText } from '../../../src/channels/reply-text/plain-text.js';
import { formReply, type ReplyForm } from '../../../src/channels/reply-text/reply-form.js';
import { slackMrkdwn } from '../../../src/channels/reply-text/slack-mrkdwn.js';
import { telegramHtml } from '../../../src/channels/reply-text/telegram-html.js';
import { sizeOfText, type TextUnit, textUnits } from '../../../src/channels/reply-text/text-unit.js';
import { parseTelegramHtml } from './telegram-html-parser.js';

const html = (markdown: string) => formReply(markdown, telegramHtml()).map(({ formed }) => formed);
const plain = (markdown: string, most = 4_096, unit: TextUnit = 'utf-16') =>
  formReply(markdown, plainText(most, unit)).map(({ formed }) => formed);
const source = (markdown: string, most: number, unit: TextUnit = 'utf-16') =>
  formReply(markdown, markdownSource(most, unit)).map(({ formed }) => formed);

/** Text without white space: where it is cut, white space may be left out. */
const inked = (text: string) => text.replace(/\s/g, '');

describe('Markdown', () => {
  it.each([
    [
      '**bold** and *italic*, __bold__ and _italic_',
      '<b>bold</b> and <i>italic</i>, <b>bold</b> and <i>italic</i>',
    ],
    ['***both*** and **a *b* c**', '<b><i>both</i></b> and <b>a <i>b</i> c</b>'],
    ['~~gone~~, ~5 and ~6', '<s>gone</s>, ~5 and ~6'],
    ['snake_case_name and 2 * 3 * 4', 'snake_case_name and 2 * 3 * 4'],
    ['`a < b && c`, ``a ` b``', '<code>a &lt; b &amp;&amp; c</code>, <code>a ` b</code>'],
    ['**use `rm` now**', '<b>use </b><code>rm</code><b> now</b>'],
    [
      '[the *site*](https://example.org/?a=1&b=2 "title")',
      '<a href="https://example.org/?a=1&amp;b=2">the <i>site</i></a>',
    ],
    ['![a cat](https://example.org/cat.png)', '<a href="https://example.org/cat.png">a cat</a>'],
    ['[a file](./README.md)', 'a file (./README.md)'],
    ['[x](javascript:alert(1))', 'x (javascript:alert(1))'],
    ['[not a link] and [neither](', '[not a link] and [neither]('],
    [
      '<https://example.org> and https://example.org/_a_b_.',
      'https://example.org and https://example.org/_a_b_.',
    ],
    ['<b>raw</b> &amp; "quoted" <br> next', '&lt;b&gt;raw&lt;/b&gt; &amp; &quot;quoted&quot; \n next'],
    ['\\*no\\* \\<tag>', '*no* &lt;tag&gt;'],
    ['## A title ##', '<b>A title</b>'],
    [
      '- one\n- two\n  - three\n1. four\n- [x] done',
      '\u2022 one\n\u2022 two\n  \u2022 three\n1. four\n\u2611 done',
    ],
    ['a\n\n\n\nb\nc', 'a\n\nb\nc'],
    ['above\n\n---\n\nbelow', 'above\n\n\u2014\u2014\u2014\n\nbelow'],
    ['> said **she**\n> twice\n\nhe', '<blockquote>said <b>she</b>\ntwice</blockquote>\n\nhe'],
    ['> a\n\n> b', '<blockquote>a</blockquote>\n\n<blockquote>b</blockquote>'],
    ['> > deep', '<blockquote>&gt; deep</blockquote>'],
    [
      '```js\nif (a < b) {\n  c();\n}\n```',
      '<pre><code class="language-js">if (a &lt; b) {\n  c();\n}</code></pre>',
    ],
    ['```\n**raw**', '<pre>**raw**</pre>'],
    ['1. x\n   ```sh\n   ls\n   ```', '1. x\n<pre><code class="language-sh">ls</code></pre>'],
    ['~~~~\n```\n~~~\n~~~~\nend', '<pre>```\n~~~</pre>\nend'],
    ['> ```\n> a\nb', '<blockquote><pre>a</pre></blockquote>\nb'],
    [
      '| a | **b** |\n|---|:-:|\n| 1 | x\\|y |\n|long|[u](https://u.example)|',
      '<pre>a    | b\n-----|----------------------\n1    | x|y\nlong | u (https://u.example)</pre>',
    ],
    ['|a|b|\n|-|-|\n|1|2|3|', '<pre>|a|b|\n|-|-|\n|1|2|3|</pre>'],
    ['1. a\n2.\n3. - b', '1. a\n2.\n3. \u2022 b'],
    [`${'>'.repeat(200)} deep`, `${'&gt;'.repeat(200)} deep`],
    ['[x]: https://x.example', '[x]: https://x.example'],
  ])('becomes Telegram HTML: %j', (markdown, expected) => {
    expect(html(markdown)).toEqual([expected]);
  });

  it.each([
    [
      '**bold** [site](https://example.org), <mailto:a@b.example>',
      'bold site (https://example.org), mailto:a@b.example',
    ],
    [
      '[https://example.org](https://example.org) [b.example](https://b.example)',
      'https://example.org b.example',
    ],
    ['> one\n> two\n\nthree', '> one\n> two\n\nthree'],
    ['# Title\n```c\nint a;\n\n  int b;\n```', 'Title\nint a;\n\n  int b;'],
  ])('becomes plain text: %j', (markdown, expected) => {
    expect(plain(markdown)).toEqual([expected]);
  });

  it('is nothing where there is only white space', () => {
    expect([html(''), html(' \n\t\n'), plain('\u3000')]).toEqual([[], [], []]);
  });
});

describe('a cut', () => {
  const sentence = (word: string) => `${word} is here. `;

  it('is between paragraphs first, then lines, sentences, words and characters', () => {
    expect(plain('one one\ntwo two\n\nthree', 18)).toEqual(['one one\ntwo two', 'three']);
    expect(plain('one one\ntwo two three', 18)).toEqual(['one one', 'two two three']);
    expect(plain('One one. Two two three.', 18)).toEqual(['One one.', 'Two two three.']);
    expect(plain('one two three four', 10)).toEqual(['one two', 'three four']);
    expect(plain('abcdefghijk', 4)).toEqual(['abcd', 'efgh', 'ijk']);
    expect(plain('\u4e00\u4e8c\u3002\u4e09\u56db\u4e94', 5)).toEqual([
      '\u4e00\u4e8c\u3002',
      '\u4e09\u56db\u4e94',
    ]);
  });

  it('leaves no part almost empty for the sake of a paragraph', () => {
    expect(plain('a\n\nbcdef ghijk lmnop', 12)).toEqual(['a\n\nbcdef', 'ghijk lmnop']);
  });

  it('counts in the unit of the platform', () => {
    expect(plain('\u00e4\u00e4\u00e4\u00e4', 4, 'bytes')).toEqual(['\u00e4\u00e4', '\u00e4\u00e4']);
    expect(plain('\u{1f600}\u{1f600}\u{1f600}', 4, 'utf-16')).toEqual(['\u{1f600}\u{1f600}', '\u{1f600}']);
    expect(plain('\u{1f600}\u{1f600}\u{1f600}', 2, 'characters')).toEqual([
      '\u{1f600}\u{1f600}',
      '\u{1f600}',
    ]);
  });

  it('does not part what people see as one character', () => {
    const family = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}';
    expect(plain(family.repeat(3), 20)).toEqual([family.repeat(2), family]);
    expect(plain('\u{1f1e9}\u{1f1ea}'.repeat(3), 6)).toEqual(Array(3).fill('\u{1f1e9}\u{1f1ea}'));
    expect(plain('xe\u0301'.repeat(3), 2)).toEqual(['x', 'e\u0301', 'x', 'e\u0301', 'x', 'e\u0301']);
    expect(plain('ae\u0301'.repeat(3), 4)).toEqual(['ae\u0301a', 'e\u0301a', 'e\u0301']);
  });

  it('closes a code block and opens it again with its language', () => {
    const code = '```py\nfirst()\n  second()\n\nthird()\n```';
    expect(formReply(code, telegramHtml(20)).map(({ formed }) => formed)).toEqual([
      '<pre><code class="language-py">first()\n  second()\n</code></pre>',
      '<pre><code class="language-py">third()</code></pre>',
    ]);
    expect(source(code, 33)).toEqual(['```py\nfirst()\n  second()\n\n```', '```py\nthird()\n```']);
  });

  it('closes and opens emphasis and links', () => {
    expect(
      formReply('**one two** [three four](https://a.example)', telegramHtml(13)).map(({ formed }) => formed),
    ).toEqual([
      '<b>one two</b> <a href="https://a.example">three</a>',
      '<a href="https://a.example">four</a>',
    ]);
  });

  // Its marks would fill each part, so that one character fits beside them.
  it.each([
    ['Telegram', telegramHtml(), '"'],
    ['Matrix', matrixHtml(), '"'],
    ['Slack', slackMrkdwn(), '&'],
    ['Discord', discordMarkdown(), 'y'],
  ])('shows a link as text whose marks take much of a part: %s', (_platform, form, character) => {
    const url = `http://x/${character.repeat(16_000)}`;
    const parts = formReply(`[${'abcd'.repeat(4_000)}](${url})`, form);
    expect(parts.length).toBeLessThan(100);
    expect(
      parts
        .map(({ plain }) => plain)
        .join('')
        .replaceAll(/\s/g, ''),
    ).toContain(`(${url}`);
  });

  // Each run, or each line, would have the whole URL beside it.
  it.each([
    ['Telegram', telegramHtml(), '*a*b '],
    ['Matrix', matrixHtml(), '*a*b '],
    ['Slack', slackMrkdwn(), '*a*b '],
    ['Slack, lines', slackMrkdwn(), 'a\n'],
    ['Discord', discordMarkdown(), '*a*b '],
  ])('shows the URL of a link of many runs once: %s', (_platform, form, run) => {
    for (const url of [`http://x/${'&'.repeat(900)}`, `other://x/${'y'.repeat(900)}`]) {
      const parts = formReply(`[${run.repeat(3_000)}](${url})`, form);
      expect(parts.length).toBeLessThan(100);
      const text = parts
        .map(({ plain }) => plain)
        .join('')
        .replaceAll(/\s/g, '');
      expect(text.split(url)).toHaveLength(2);
    }
  });

  // To begin anew at each character of the white space would take a minute.
  it.each([
    ['Matrix', matrixHtml(), '\n'],
    ['Slack', slackMrkdwn(), '\u00a0'],
  ])('takes white space within a part in one go: %s', (_platform, form, space) => {
    const line = `a${space.repeat(3_900)}b`;
    const parts = formReply(`${line}\n\n`.repeat(500), form);
    expect(
      parts
        .map(({ plain }) => plain)
        .join('')
        .split('b'),
    ).toHaveLength(501);
  });

  it('keeps a link whose text has styles', () => {
    expect(html('[**a** b *c*](https://a.example/d)')).toEqual([
      '<a href="https://a.example/d"><b>a</b> b <i>c</i></a>',
    ]);
  });

  it('prefers to be before a code block', () => {
    const text = `${sentence('It').repeat(3)}\n\n\`\`\`\na\n\nb\n\`\`\``;
    expect(plain(text, 36)).toEqual([sentence('It').repeat(3).trim(), 'a\n\nb']);
  });

  it('leaves the Markdown of a part alone', () => {
    expect(source('# A **title**\n\n- a\n- b', 15)).toEqual(['# A **title**', '- a\n- b']);
    expect(source('as it is \n\n\n```js title="x"\n```', 99)).toEqual([
      'as it is \n\n\n```js title="x"\n```',
    ]);
  });

  it('keeps within the entities of a message', () => {
    const parts = html('*a* '.repeat(250));
    expect(parts.map((part) => part.split('<i>').length - 1)).toEqual([100, 100, 50]);
  });
});

/** Pieces of which hostile Markdown is made. */
const piece = fc.constantFrom(
  ...[
    '*',
    '**',
    '_',
    '~~',
    '`',
    '```',
    '```js\n',
    '~~~\n',
    '[',
    '](',
    ')',
    '![',
    '<',
    '>',
    '> ',
    '\n> ',
    '# ',
    '- ',
    '1. ',
  ],
  ...[
    '|',
    '|-|\n',
    '\n',
    '\n\n',
    ' ',
    '\\',
    '&',
    '&amp;',
    '"',
    'a',
    'word ',
    'End. ',
    'https://a.example/',
    '\t',
    '\u3002',
  ],
  ...[
    '\u{1f600}',
    '\u{1f1e9}',
    '\u0301',
    '\u200d',
    '\ud800',
    '\u00e4',
    '<br>',
    '(',
    '  \n',
    '---',
    '[x](https://y.example)',
  ],
);
const hostile = fc
  .array(fc.oneof(piece, fc.string({ unit: 'grapheme', maxLength: 8 })), { maxLength: 120 })
  .map((all) => all.join(''));

describe('of any text', () => {
  it('every part of Telegram HTML is within its limits, and valid by itself', () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 60 }), (markdown, most) => {
        const whole = formReply(markdown, telegramHtml(1e9))
          .map(({ plain: all }) => all)
          .join('');
        const parts = formReply(markdown, telegramHtml(Math.max(2, most)));
        for (const { formed, plain: text } of parts) {
          expect(text.length).toBeLessThanOrEqual(Math.max(2, most));
          expect(parseTelegramHtml(formed)).toBe(text);
          expect(text).toMatch(/\S/);
        }
        expect(inked(parts.map(({ plain: text }) => text).join(''))).toBe(inked(whole));
      }),
      { numRuns: 150 },
    );
  });

  it('no letter, number or URL gets lost', () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 20, max: 200 }), (markdown, most) => {
        const text = plain(markdown, most).join('');
        const words = (all: string) => all.replace(/[^\p{L}\p{N}]/gu, '');
        // A language of a code block, an entity, a title and a line break in HTML are no text.
        const isPlain = !/```|~~~|&|<br|\\|\(|["']/.test(markdown);
        if (isPlain) expect(words(text)).toBe(words(markdown));
      }),
      { numRuns: 150 },
    );
  });

  it.each(textUnits)('every part is within its limit in %s, and cut between characters', (unit) => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 60, max: 200 }), (markdown, most) => {
        for (const form of [plainText(most, unit), markdownSource(most, unit)] satisfies ReplyForm[]) {
          for (const { formed } of formReply(markdown, form)) {
            expect(sizeOfText(formed, unit)).toBeLessThanOrEqual(most);
            expect(/^[\udc00-\udfff]/.test(formed)).toBe(false);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('the source is the text of all parts', () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 60, max: 200 }), (markdown, most) => {
        const withoutFences = (text: string) => inked(text.replace(/^[ \t]*(?:`{3,}|~{3,}).*$/gm, ''));
        if (!/[\r]/.test(markdown)) {
          expect(withoutFences(source(markdown, most).join('\n'))).toBe(withoutFences(markdown));
        }
      }),
      { numRuns: 100 },
    );
  });

  const long = 3_000;
  it.each([
    ['nested quotes', '>'.repeat(long)],
    ['nested quotes with spaces', `${'> '.repeat(long)}x`],
    ['one line', 'x'.repeat(5 * long)],
    ['spaces', `${' '.repeat(10 * long)}x`],
    ['lines of spaces', `${' \n'.repeat(5 * long)}x`],
    ['an unclosed fence', `\`\`\`\n${'x\n'.repeat(long)}`],
    ['fences', `${'```\n'.repeat(long)}x`],
    [
      'backtick runs of many lengths',
      Array.from({ length: 1_000 }, (_, index) => `${'`'.repeat(index)} `).join(''),
    ],
    ['backticks', '` `` '.repeat(long)],
    ['stars', '*'.repeat(long)],
    ['openers', '*a '.repeat(long)],
    ['openers of two kinds', '*a _b '.repeat(long)],
    ['closers', 'a* b_ '.repeat(long)],
    ['stars that open and close', 'a**b*c'.repeat(long)],
    ['brackets', '['.repeat(long)],
    ['links without an end', '[a]('.repeat(long)],
    ['links without an end of the URL', '[a](<b'.repeat(long)],
    ['links with a title without an end', `[a](b "${'[a](b '.repeat(long)}`],
    ['nested links', `${'['.repeat(long)}${'](a)'.repeat(long)}`],
    ['links', '[a](https://b.example)'.repeat(long / 2)],
    ['cells', `|a|\n|-|\n${'|'.repeat(long)}`],
    ['headers of tables', '|a|\n'.repeat(long)],
    ['a rule that is none', `${'- '.repeat(long)}x`],
    ['a heading', `# ${'# '.repeat(long)}x`],
    ['trails of a URL', `https://a.example/${'.)'.repeat(long)}x`],
    ['marks on a letter', `a${'\u0301'.repeat(long)}`],
    ['flags', '\u{1f1e9}'.repeat(long)],
    ['list items', '- a\n'.repeat(long)],
    ['escapes', '\\'.repeat(long)],
    ['entities', '&'.repeat(long)],
  ])('nothing gets lost of what is hard to read: %s', (_name, markdown) => {
    const read = (form: ReplyForm) =>
      formReply(markdown, form)
        .map(({ plain: text }) => text)
        .join('');
    const ink = inked(read(telegramHtml(1e9)));
    expect(inked(read(telegramHtml()))).toBe(ink);
    expect(ink.length).toBeGreaterThan(0);
  });
});
