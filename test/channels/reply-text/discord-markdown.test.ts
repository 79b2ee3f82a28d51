import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { discordMarkdown, plainDiscordText } from '../../../src/channels/reply-text/discord-markdown.js';
import { formReply } from '../../../src/channels/reply-text/reply-form.js';

const formed = (markdown: string) => formReply(markdown, discordMarkdown()).map((part) => part.formed);
/** Text without white space and marks: where it is cut, some are left out or put in. */
const inked = (text: string) => text.replace(/[\s\\*_~`|#>\u200b]/g, '');

describe("Discord's Markdown", () => {
  it.each([
    ['**bold** and *italic*, __bold__ and _italic_', '**bold** and *italic*, **bold** and *italic*'],
    ['***both*** and **a *b* c**', '***both*** and **a *b* c**'],
    ['~~gone~~, ~5 and ~6', '~~gone~~, \\~5 and \\~6'],
    ['snake_case_name and 2 * 3 * 4', 'snake\\_case\\_name and 2 \\* 3 \\* 4'],
    ['`a < b && c`, ``a ` b``', '`a < b && c`, `` a ` b ``'],
    ['**use `rm` now**', '**use `rm` now**'],
    ['[the *site*](https://example.org/?a=(1)&b=2)', '[the *site*](https://example.org/?a=%281%29&b=2)'],
    ['![a cat](https://example.org/cat.png)', '[a cat](https://example.org/cat.png)'],
    ['[a file](./README.md), [x](javascript:alert(1))', 'a file (./README.md), x (javascript:alert(1))'],
    ['[b.example](https://b.example) <https://example.org/_a_b_>', 'b.example https://example.org/_a_b_'],
    ['\\*no\\*, ||no spoiler||', '\\*no\\*, \\|\\|no spoiler\\|\\|'],
    ['## A title ##\ntext', '**A title**\ntext'],
    ['\\# no title\n\\-# no small print', '\\# no title\n-\\# no small print'],
    ['a # b > c', 'a # b > c'],
    ['- one\n  - two\n1. three\n- [x] done', '\u2022 one\n  \u2022 two\n1. three\n\u2611 done'],
    ['> said **she**\n> twice\n\nhe', '> said **she**\n> twice\n\nhe'],
    ['> > deep', '> > deep'],
    ['> a\n> ```js\n> x\n> y\n> ```\n> b', '> a\n> ```js\n> x\n> y\n> ```\n> b'],
    ['```js\nif (a < b) {\n  c();\n}\n```', '```js\nif (a < b) {\n  c();\n}\n```'],
    ['~~~~\n```\n~~~\n~~~~\nend', '```\n``\u200b`\n~~~\n```\nend'],
    ['| a | **b** |\n|---|---|\n| 1 | x |', '```\na | b\n--|--\n1 | x\n```'],
    ['@everyone <@1234>', '@everyone <@1234>'],
  ])('has a form of %j', (markdown, expected) => {
    expect(formed(markdown)).toEqual([expected]);
  });

  it('closes and opens a code block and bold text where it is cut', () => {
    const code = formed(`\`\`\`py\n${'line = 1\n'.repeat(400)}\`\`\``);
    expect(code.length).toBe(2);
    for (const part of code) expect(part).toMatch(/^```py\nline = 1\n[^`]*line = 1\n```$/);
    for (const part of formed(`**${'word '.repeat(600).trim()}**`)) expect(part).toMatch(/^\*\*[^*]+\*\*$/);
  });

  it('leaves nothing out, and no part is longer than a message may be', () => {
    const piece = fc.oneof(
      fc.constantFrom('**', '*', '`', '```\n', '> ', '# ', '\n', '\n\n', '~~', '|', '_'),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.nat(300).map((count) => '*'.repeat(count)),
      fc.nat(300).map((count) => 'word '.repeat(count)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const markdown = pieces.join('');
        const parts = formReply(markdown, discordMarkdown());
        for (const part of parts) expect(part.formed.length).toBeLessThanOrEqual(2_000);
        for (const part of parts) expect(inked(part.formed)).toContain(inked(part.plain).slice(0, 10));
      }),
      { numRuns: 20 },
    );
  });

  it('takes the meaning from marks in a plain text', () => {
    expect(plainDiscordText('# 2*3*4\n> a_b_')).toBe('\\# 2\\*3\\*4\n\\> a\\_b\\_');
  });
});
