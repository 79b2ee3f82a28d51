import { parseMarkdown } from './markdown.js';
import type { ReplyForm } from './reply-form.js';
import { isShown, noStyle, type StyledText, StyledTextBuilder, textOf } from './styled-text.js';
import { sizeOfCharacter, type TextUnit } from './text-unit.js';

/** Text without any marks. A link's URL stands behind its text, and quotes begin with "> ". */
export function plainText(most: number, unit: TextUnit): ReplyForm {
  return {
    read: (markdown) => asPlainText(parseMarkdown(markdown)),
    limits: [{ most, ofCharacter: sizeOfCharacter[unit] }],
    render: textOf,
  };
}

/** Code blocks keep their style, as a cut keeps their white space. */
function asPlainText(text: StyledText): StyledText {
  const builder = new StyledTextBuilder();
  let isLineStart = true;
  let link: string | null = null;
  let linked = '';
  const endLink = () => {
    if (link !== null && !isShown(link, linked)) builder.append(` (${link})`, noStyle);
    link = null;
    linked = '';
  };
  for (const { text: run, style } of text) {
    if (style.link !== link) {
      endLink();
      link = style.link ?? null;
    }
    if (link !== null) linked += run;
    const shown = style.block === undefined ? noStyle : { block: style.block };
    const marked = style.quote === true ? quoteMarked(run, isLineStart) : run;
    builder.append(marked, shown);
    isLineStart = run.endsWith('\n');
  }
  endLink();
  return builder.build();
}

/** Puts "> " before each line. */
export function quoteMarked(text: string, isLineStart: boolean): string {
  const marked = text.replaceAll(/\n(?!$)/g, '\n> ');
  return isLineStart ? `> ${marked}` : marked;
}
