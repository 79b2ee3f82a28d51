import { languageOf } from './markdown.js';
import { markdownBlocks } from './markdown-tokens.js';
import type { ReplyForm } from './reply-form.js';
import {
  type CodeBlock,
  noStyle,
  type StyledText,
  StyledTextBuilder,
  type TextStyle,
} from './styled-text.js';
import { sizeOfCharacter, sizeOfText, type TextUnit } from './text-unit.js';

/** Markdown as the agent wrote it. Only code blocks that are cut change: they are closed, and opened again. */
export function markdownSource(most: number, unit: TextUnit): ReplyForm {
  return {
    read: (markdown) =>
      sizeOfText(markdown, unit) <= most ? [{ text: markdown, style: noStyle }] : withBlocks(markdown),
    limits: [
      {
        most,
        ofCharacter: sizeOfCharacter[unit],
        ofStyle: (style) => {
          const marks = marksOf(style);
          return marks === null ? 0 : sizeOfText(marks.open + marks.close, unit);
        },
      },
    ],
    render: (text) =>
      text
        .map(({ text: run, style }) => {
          const marks = marksOf(style);
          return marks === null ? run : `${marks.open}${run}${marks.close}`;
        })
        .join(''),
  };
}

function withBlocks(markdown: string): StyledText {
  const text = markdown.replace(/\r\n?/g, '\n');
  const lines = text.split('\n');
  const builder = new StyledTextBuilder();
  let next = 0;
  const copyUntil = (end: number) => {
    if (end > next) builder.append(lines.slice(next, end).join('\n'), noStyle);
    next = end;
  };
  const endLine = () => {
    if (!builder.isEmpty) builder.append('\n', noStyle);
  };
  for (const { begin, end, block } of codeBlocksOf(text, lines)) {
    if (begin > next && next > 0) endLine();
    copyUntil(begin);
    endLine();
    builder.append(lines.slice(begin + 1, end.text).join('\n'), { block });
    next = end.line;
  }
  if (next < lines.length) {
    if (next > 0) endLine();
    copyUntil(lines.length);
  }
  return builder.build();
}

interface SourceBlock {
  readonly begin: number;
  /** The line behind its text, and the one behind all of it. */
  readonly end: { readonly text: number; readonly line: number };
  readonly block: CodeBlock;
}

/** A longer one would take too much of each part. */
const longestMark = 10;

/** Code blocks that can be closed and opened again where they stand: in a quote they can't. */
function codeBlocksOf(text: string, lines: readonly string[]): readonly SourceBlock[] {
  let quoteDepth = 0;
  const found: SourceBlock[] = [];
  for (const { type, map, info, markup } of markdownBlocks(text) ?? []) {
    if (type === 'blockquote_open') quoteDepth += 1;
    else if (type === 'blockquote_close') quoteDepth -= 1;
    else if (type === 'fence' && map !== null && quoteDepth === 0 && markup.length <= longestMark) {
      const [begin, line] = map;
      const isClosed = line - 1 > begin && (lines[line - 1] ?? '').trim().startsWith(markup);
      const block = { language: languageOf(info), mark: markup };
      found.push({ begin, end: { text: isClosed ? line - 1 : line, line }, block });
    }
  }
  return found;
}

function marksOf({ block }: TextStyle): { readonly open: string; readonly close: string } | null {
  if (block === undefined) return null;
  const mark = block.mark ?? '```';
  return { open: `${mark}${block.language}\n`, close: `\n${mark}` };
}
