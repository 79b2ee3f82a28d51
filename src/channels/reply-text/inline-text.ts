import type { MarkdownToken } from './markdown-tokens.js';
import { type StyledText, StyledTextBuilder, type TextStyle } from './styled-text.js';

const lineBreak = /<br ?\/?>/gi;

/** Gives the text of a paragraph. An image becomes a link; a URL that stands by itself stays text. */
export function inlineText({ children }: MarkdownToken, base: TextStyle): StyledText {
  const builder = new StyledTextBuilder();
  const depth = { bold: 0, italic: 0, strike: 0 };
  let link: string | null = null;
  const style = (): TextStyle => ({
    ...base,
    ...(depth.bold > 0 && { bold: true }),
    ...(depth.italic > 0 && { italic: true }),
    ...(depth.strike > 0 && { strike: true }),
    ...(link !== null && { link }),
  });
  for (const token of children ?? []) {
    switch (token.type) {
      case 'strong_open':
      case 'strong_close':
        depth.bold += token.nesting;
        break;
      case 'em_open':
      case 'em_close':
        depth.italic += token.nesting;
        break;
      case 's_open':
      case 's_close':
        depth.strike += token.nesting;
        break;
      case 'link_open':
        link = token.info === 'auto' ? null : String(token.attrGet('href') ?? '');
        break;
      case 'link_close':
        link = null;
        break;
      case 'softbreak':
      case 'hardbreak':
        builder.append('\n', style());
        break;
      case 'code_inline':
        builder.append(token.content, { ...style(), code: true });
        break;
      case 'image': {
        const url = link ?? String(token.attrGet('src') ?? '');
        builder.append(token.content === '' ? url : token.content, { ...style(), link: url });
        break;
      }
      default:
        builder.append(token.content.replace(lineBreak, '\n'), style());
    }
  }
  return builder.build();
}
