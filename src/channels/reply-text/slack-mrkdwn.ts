import { withKnownLinks } from './known-links.js';
import { parseMarkdown } from './markdown.js';
import { quoteMarked } from './plain-text.js';
import type { ReplyForm } from './reply-form.js';
import type { PartLimit } from './split.js';
import { type StyledText, StyledTextBuilder, type TextStyle } from './styled-text.js';
import { sizeOfCharacter } from './text-unit.js';

/**
 * Slack's mrkdwn (docs.slack.dev/messaging/formatting-message-text). A text may have 4,000 characters: `chat.update` takes
 * no more, and `chat.postMessage` advises no more.
 */
const longestText = 4_000;

/** URLs that Slack makes links of. */
const isLinkable = (url: string) => /^(?:https?|mailto|tel|slack):/i.test(url);

/** Slack sees a mark only at the edge of a word. This is such an edge, and not seen. */
const edge = '\u200b';

export function slackMrkdwn(most = longestText): ReplyForm {
  const limits: readonly PartLimit[] = [
    {
      most,
      ofCharacter: (codePoint) =>
        // The next line may need the mark of a quote.
        codePoint === 10 ? 3 : (escapes.get(codePoint) ?? sizeOfCharacter['utf-16'](codePoint)),
      ofStyle: sizeOfMarks,
    },
  ];
  return {
    read: (markdown) => inLines(withKnownLinks(parseMarkdown(markdown), { isLinkable, limits })),
    limits,
    render: toMrkdwn,
  };
}

/** Marks hold within one line: line ends have none. */
function inLines(text: StyledText): StyledText {
  const builder = new StyledTextBuilder();
  for (const { text: run, style } of text) {
    const { link: _link, bold: _bold, italic: _italic, strike: _strike, code: _code, ...plain } = style;
    if (style.block !== undefined) builder.append(withoutFence(run), { block: style.block });
    else {
      for (const piece of run.split(/(\n+)/)) builder.append(piece, piece.startsWith('\n') ? plain : style);
    }
  }
  return builder.build();
}

function withoutFence(code: string): string {
  return code.replaceAll('```', `\`\`${edge}\``);
}

function toMrkdwn(text: StyledText): string {
  let mrkdwn = '';
  let isLineStart = true;
  let isMarked = false;
  for (const { text: run, style } of text) {
    let piece: string;
    if (style.block === undefined) {
      const marked = inline(run, style);
      const body = style.quote === true ? quoteMarked(marked.text, isLineStart) : marked.text;
      // A mark within a word would stand there as it is.
      const isInWord = (isMarked && isWord(marked.text.at(0))) || (marked.isMarked && isWord(mrkdwn.at(-1)));
      piece = isInWord ? edge + body : body;
      isMarked = marked.isMarked;
    } else {
      piece = `\`\`\`\n${escaped(run)}\n\`\`\``;
      isMarked = false;
    }
    mrkdwn += piece;
    isLineStart = mrkdwn.endsWith('\n');
  }
  return mrkdwn;
}

/** Puts the marks around the text. White space stays outside: Slack knows no mark beside it. */
function inline(run: string, style: TextStyle): { readonly text: string; readonly isMarked: boolean } {
  const body = run.trim();
  const marks = marksOf(style);
  if (body === '') return { text: escaped(run), isMarked: false };
  const before = run.slice(0, run.length - run.trimStart().length);
  const after = run.slice(before.length + body.length);
  const { link } = style;
  // Code that has the mark of code in it can't be marked.
  const isCode = style.code !== undefined && link === undefined && !body.includes('`');
  const core = link === undefined ? escaped(body) : `<${linkTarget(link)}|${escaped(body)}>`;
  const inner = isCode ? `\`${core}\`` : core;
  const text = `${before}${marks}${inner}${[...marks].reverse().join('')}${after}`;
  return { text, isMarked: (marks !== '' || isCode) && after === '' };
}

function marksOf({ bold, italic, strike }: TextStyle): string {
  return `${bold === undefined ? '' : '*'}${italic === undefined ? '' : '_'}${strike === undefined ? '' : '~'}`;
}

function linkTarget(link: string): string {
  return escaped(link).replaceAll('|', '%7C').replaceAll(/\s/g, '%20');
}

/** As much as the marks can have at most. */
function sizeOfMarks(style: TextStyle): number {
  if (style.block !== undefined) return 8;
  const link = style.link === undefined ? 0 : linkTarget(style.link).length + 3;
  const code = style.code === undefined ? 0 : 2;
  const quote = style.quote === undefined ? 0 : 2;
  return link + code + quote + 2 * marksOf(style).length + edge.length;
}

function isWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}_*~`]/u.test(character);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const escapes = new Map([
  [38, 5],
  [60, 4],
  [62, 4],
]);
