import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formReply } from '../../../src/channels/reply-text/reply-form.js';
import { slackMrkdwn } from '../../../src/channels/reply-text/slack-mrkdwn.js';
import { mrkdwnMistake } from '../../support/slack-schema.js';

const edge = '\u200b';
const mrkdwn = (markdown: string, most?: number) =>
  formReply(markdown, slackMrkdwn(most)).map(({ formed }) => formed);

it.each([
  ['**bold** *italic* ~~gone~~ `code`', '*bold* _italic_ ~gone~ `code`'],
  ['***both***', '*_both_*'],
  ['# Heading\n\ntext', '*Heading*\n\ntext'],
  ['a & b <c> <!channel> <@U1>', 'a &amp; b &lt;c&gt; &lt;!channel&gt; &lt;@U1&gt;'],
  ['[text](https://a.example/?a=1&b=|2)', '<https://a.example/?a=1&amp;b=%7C2|text>'],
  ['**[text](https://a.example)**', '*<https://a.example|text>*'],
  ['[file](file:///etc/passwd)', 'file (file:///etc/passwd)'],
  ['un**frigging**believable', `un${edge}*frigging*${edge}believable`],
  ['**two\nlines**', '*two*\n*lines*'],
  ['> quoted\n> **more**\n\nafter', '> quoted\n> *more*\n\nafter'],
  ['```js\na < b;\n```\nafter', '```\na &lt; b;\n```\nafter'],
  ['- one\n- two', '\u2022 one\n\u2022 two'],
  ['`` a`b ``', 'a`b'],
])('%j becomes %j', (markdown, expected) => {
  expect(mrkdwn(markdown)).toEqual([expected]);
});

it('cuts a code block, and closes and opens it again', () => {
  const code = `\`\`\`\n${'line of code\n'.repeat(10)}\`\`\``;
  for (const part of mrkdwn(code, 60)) expect(part).toMatch(/^```\n(?:line of code\n?)+\n```$/);
});

it('every part is within its limit, and is no mention of anybody', () => {
  const piece = fc.constantFrom(
    '**',
    '*',
    '_',
    '~~',
    '`',
    '```\n',
    '> ',
    '# ',
    '- ',
    '\n',
    '\n\n',
    '[a](https://a.example)',
    '<!here>',
    '&',
    '<',
    'word ',
    'a',
    'ä',
    '\u{1f600}',
    ' ',
  );
  const markdown = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(markdown, fc.integer({ min: 60, max: 200 }), (text, most) => {
      for (const part of mrkdwn(text, most)) {
        expect(part.length).toBeLessThanOrEqual(most);
        expect(mrkdwnMistake(part)).toBeNull();
      }
    }),
  );
});
