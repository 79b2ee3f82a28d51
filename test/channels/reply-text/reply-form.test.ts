import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formBeginning, formReply } from '../../../src/channels/reply-text/reply-form.js';
import { telegramHtml } from '../../../src/channels/reply-text/telegram-html.js';

const html = telegramHtml();

describe('the first part of a text that grows', () => {
  it('is that of the whole text', () => {
    const words = fc.constantFrom('word', '*so*', '`code`', '\n\n', '# Title\n', '- item\n', '🇩🇪', '&');
    fc.assert(
      fc.property(fc.array(words, { maxLength: 3_000 }), (list) => {
        const text = list.join(' ');
        expect(formBeginning(text, html)).toEqual(formReply(text, html)[0] ?? null);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ['letters', 'x', 2_000_000],
    ['line ends before the text', '\n', 2_000_000],
    ['surrogate pairs', '🇩', 500_000],
    ['pairs behind a letter', 'a🇩🇪', 200_000],
  ])('is made of its beginning alone: %s', (_what, part, count) => {
    const read: string[] = [];
    const noting = {
      ...html,
      read: (markdown: string) => {
        read.push(markdown);
        return html.read(markdown);
      },
    };
    const beginning = formBeginning(`${part.repeat(count)}.`, noting);
    expect(read).toHaveLength(1);
    expect(read[0]?.length).toBeLessThanOrEqual(16 * 1_024);
    expect(/\p{Surrogate}/u.test(read[0] ?? '')).toBe(false);
    expect(beginning?.plain).not.toBe('');
  });

  it('leaves the other parts unmade', () => {
    let rendered = 0;
    const counting = {
      ...html,
      render: (...[part]: Parameters<typeof html.render>) => {
        rendered += 1;
        return html.render(part);
      },
    };
    formBeginning('word '.repeat(3_000), counting);
    expect(rendered).toBe(1);
  });

  it.each(['', ' \n'])('is none: %j', (text) => expect(formBeginning(text, html)).toBeNull());
});
