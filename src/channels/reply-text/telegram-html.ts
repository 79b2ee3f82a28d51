import { parseMarkdown } from './markdown.js';
import { isShown } from './plain-text.js';
import type { ReplyForm } from './reply-form.js';
import { type StyledText, StyledTextBuilder, type TextStyle } from './styled-text.js';
import { sizeOfCharacter } from './text-unit.js';

/**
 * Telegram's HTML (core.telegram.org/bots/api, "HTML style" and "sendMessage"): a message has 1 to 4,096 UTF-16 code units
 * behind its markup, and 100 entities at most. The server reads no more than 32,768 bytes.
 */
const longestText = 4_096;
const mostEntities = 100;
const mostBytes = 32_000;

/** URLs that Telegram makes links of. */
const linkable = /^(?:https?|tg|tonsite|mailto|tel):/i;

interface Tag {
  readonly open: string;
  readonly close: string;
}

/** `most` is for captions of files, which may have 1,024 code units. */
export function telegramHtml(most = longestText): ReplyForm {
  return {
    read: (markdown) => withKnownLinks(parseMarkdown(markdown)),
    limits: [
      { most, ofCharacter: sizeOfCharacter['utf-16'] },
      { most: mostEntities, ofCharacter: () => 0, ofStyle: (style) => tagsOf(style).length },
      {
        most: mostBytes,
        ofCharacter: (codePoint) => escapedBytes.get(codePoint) ?? sizeOfCharacter.bytes(codePoint),
        ofStyle: (style) =>
          tagsOf(style).reduce((sum, { open, close }) => sum + Buffer.byteLength(open) + close.length, 0),
      },
    ],
    render: toHtml,
  };
}

/** Shows the URLs of other links as text. */
function withKnownLinks(text: StyledText): StyledText {
  const builder = new StyledTextBuilder();
  for (const { text: run, style } of text) {
    const { link, ...rest } = style;
    if (link === undefined || linkable.test(link)) builder.append(run, style);
    else {
      builder.append(run, rest);
      if (!isShown(link, run)) builder.append(` (${link})`, rest);
    }
  }
  return builder.build();
}

function toHtml(text: StyledText): string {
  let html = '';
  let open: readonly Tag[] = [];
  const close = (from: number) => {
    for (const tag of open.slice(from).reverse()) html += tag.close;
  };
  for (const { text: run, style } of text) {
    const tags = tagsOf(style);
    let same = 0;
    while (same < open.length && open[same]?.open === tags[same]?.open) same += 1;
    close(same);
    for (const tag of tags.slice(same)) html += tag.open;
    html += escaped(run);
    open = tags;
  }
  close(0);
  return html;
}

/**
 * The tags of a style from the outside to the inside. Telegram has nothing within code but its text, and no code in a link
 * or in bold.
 */
function tagsOf({ quote, block, code, link, bold, italic, strike }: TextStyle): readonly Tag[] {
  const quotes = quote === undefined ? [] : [tagOf('blockquote')];
  if (block !== undefined) return [...quotes, codeBlockTag(block.language)];
  if (link === undefined && code !== undefined) return [...quotes, tagOf('code')];
  return [
    ...quotes,
    ...(link === undefined ? [] : [{ open: `<a href="${escaped(link)}">`, close: '</a>' }]),
    ...(bold === undefined ? [] : [tagOf('b')]),
    ...(italic === undefined ? [] : [tagOf('i')]),
    ...(strike === undefined ? [] : [tagOf('s')]),
  ];
}

function tagOf(name: string): Tag {
  return { open: `<${name}>`, close: `</${name}>` };
}

function codeBlockTag(language: string): Tag {
  if (language === '') return tagOf('pre');
  return { open: `<pre><code class="language-${escaped(language)}">`, close: '</code></pre>' };
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => escapes[character] ?? '');
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

const escapedBytes = new Map(
  Object.entries(escapes).map(([character, entity]) => [character.codePointAt(0), entity.length]),
);
