import { withKnownLinks } from './known-links.js';
import { parseMarkdown } from './markdown.js';
import type { ReplyForm } from './reply-form.js';
import type { PartLimit } from './split.js';
import { isShown, noStyle, type StyledText, StyledTextBuilder, type TextStyle } from './styled-text.js';

/**
 * Discord's Markdown (discord.com/developers/docs/reference, "Message Formatting"). A message has 2,000 characters with its
 * marks; some are left for those that a cut needs.
 */
const longestText = 1_980;

/** Discord makes no link of a text that tells its URL. */
const isLinkable = (link: string, linked: string) => /^https?:\/\//i.test(link) && !isShown(link, linked);

/** Characters that would be marks. "#" and ">" are at the beginning of a line alone, and are counted everywhere. */
const marks = '\\*_~`|#>';
const url = /https?:\/\/[^\s<>]+/gi;

export function discordMarkdown(): ReplyForm {
  const limits: readonly PartLimit[] = [{ most: longestText, ofCharacter: sizeOf, ofStyle: marksSize }];
  return {
    read: (markdown) =>
      withMarkedQuotes(withKnownLinks(withoutLinkedCode(parseMarkdown(markdown)), { isLinkable, limits })),
    limits,
    render,
  };
}

/** With the mark that takes its meaning from it. */
function sizeOf(codePoint: number): number {
  return (codePoint < 0x10000 ? 1 : 2) + (marks.includes(String.fromCodePoint(codePoint)) ? 1 : 0);
}

function withoutLinkedCode(text: StyledText): StyledText {
  return text.map((run) => {
    const { code: _code, ...style } = run.style;
    return style.link === undefined ? run : { text: run.text, style };
  });
}

/** Puts "> " before each line of a quote. */
function withMarkedQuotes(text: StyledText): StyledText {
  const builder = new StyledTextBuilder();
  let isLineStart = true;
  for (const { text: run, style } of text) {
    if (style.quote === undefined) builder.append(run, style);
    else {
      const begin = isLineStart && style.block === undefined ? '> ' : '';
      if (begin !== '') builder.append(begin, { quote: true });
      builder.append(run.replaceAll(/\n(?!$)/g, '\n> '), style);
      if (run.endsWith('\n')) builder.append('> ', { quote: true });
    }
    isLineStart = run.endsWith('\n') && style.quote === undefined;
  }
  return builder.build();
}

interface Mark {
  readonly open: string;
  readonly close: string;
}

/** From the outside to the inside, without those of code. */
function marksOf({ block, link, bold, italic, strike }: TextStyle): readonly Mark[] {
  if (block !== undefined) return [];
  return [
    ...(link === undefined ? [] : [{ open: '[', close: `](${linkTarget(link)})` }]),
    ...(bold === undefined ? [] : [{ open: '**', close: '**' }]),
    ...(italic === undefined ? [] : [{ open: '*', close: '*' }]),
    ...(strike === undefined ? [] : [{ open: '~~', close: '~~' }]),
  ];
}

/** The most that the marks of a run take. */
function marksSize(style: TextStyle): number {
  if (style.block !== undefined) return style.block.language.length + 14;
  const size = marksOf(style).reduce((sum, { open, close }) => sum + open.length + close.length, 0);
  return size + (style.code === undefined ? 0 : 6);
}

function linkTarget(link: string): string {
  return link.replace(/[()\s<>]/g, (character) => encodeURIComponent(character).replace(/[()]/g, hexOf));
}

function hexOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16)}`;
}

function render(text: StyledText): string {
  let out = '';
  let open: readonly Mark[] = [];
  const close = (from: number) => {
    const ending = open.slice(from).toReversed();
    if (ending.length === 0) return;
    // Marks with white space on their inner side are none.
    const body = out.trimEnd();
    out = `${body}${ending.map((mark) => mark.close).join('')}${out.slice(body.length)}`;
  };
  for (const { text: run, style } of text) {
    if (style.block !== undefined) {
      close(0);
      open = [];
      out += codeBlock(run, style, out.endsWith('> '));
      continue;
    }
    const wanted = run.trim() === '' ? [] : marksOf(style);
    let same = 0;
    while (
      same < open.length &&
      open[same]?.open === wanted[same]?.open &&
      open[same]?.close === wanted[same]?.close
    ) {
      same += 1;
    }
    close(same);
    const begun = wanted.slice(same);
    const body = begun.length > 0 ? run.trimStart() : run;
    out += run.slice(0, run.length - body.length) + begun.map((mark) => mark.open).join('');
    out += style.code === undefined ? escaped(body, out, style) : inlineCode(body);
    open = wanted;
  }
  close(0);
  return out;
}

function inlineCode(text: string): string {
  const inner = text.replaceAll('\n', ' ');
  if (!inner.includes('`')) return `\`${inner}\``;
  return `\`\` ${inner.replaceAll('``', '`\u200b`')} \`\``;
}

function codeBlock(text: string, { block, quote }: TextStyle, isMarked: boolean): string {
  const mark = quote === undefined ? '' : '> ';
  const inner = text.replaceAll('```', '``\u200b`');
  return `${isMarked ? '' : mark}\`\`\`${block?.language ?? ''}\n${mark}${inner}\n${mark}\`\`\``;
}

/** URLs stay as they are. */
function escaped(text: string, before: string, style: TextStyle): string {
  let out = '';
  let next = 0;
  for (const { 0: found, index } of text.matchAll(url)) {
    out += escapedText(text.slice(next, index), before + out, style) + found;
    next = index + found.length;
  }
  return out + escapedText(text.slice(next), before + out, style);
}

function escapedText(text: string, before: string, { quote }: TextStyle): string {
  const isLineStart = before === '' || before.endsWith('\n');
  const inLine = text.replace(/[\\*_~`|]/g, '\\$&');
  const lines = quote === undefined ? /(^|\n)([ \t]*-?)([#>])/g : /(^|\n)((?:> )?[ \t]*-?)(#)/g;
  return inLine.replace(lines, (whole, begin: string, space: string, sign: string) =>
    begin === '' && !isLineStart ? whole : `${begin}${space}\\${sign}`,
  );
}

export const plainDiscordText = (text: string): string => render([{ text, style: noStyle }]);
