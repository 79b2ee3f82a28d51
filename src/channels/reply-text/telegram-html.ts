import { withKnownLinks } from './known-links.js';
import { parseMarkdown } from './markdown.js';
import type { ReplyForm } from './reply-form.js';
import type { PartLimit } from './split.js';
import type { TextStyle } from './styled-text.js';
import {
  codeBlockTag,
  escapedCharacterBytes,
  linkTag,
  type Tag,
  tagBytes,
  taggedText,
  tagOf,
} from './tagged-text.js';
import { sizeOfCharacter } from './text-unit.js';

/**
 * Telegram's HTML (core.telegram.org/bots/api, "HTML style" and "sendMessage"): a message has 1 to 4,096 UTF-16 code units
 * behind its markup, and 100 entities at most. The server reads no more than 32,768 bytes.
 */
const longestText = 4_096;
const mostEntities = 100;
const mostBytes = 32_000;

/** URLs that Telegram makes links of. */
const isLinkable = (url: string) => /^(?:https?|tg|tonsite|mailto|tel):/i.test(url);

/** `most` is for captions of files, which may have 1,024 code units. */
export function telegramHtml(most = longestText): ReplyForm {
  const limits: readonly PartLimit[] = [
    { most, ofCharacter: sizeOfCharacter['utf-16'] },
    { most: mostEntities, ofCharacter: () => 0, ofStyle: (style) => tagsOf(style).length },
    {
      most: mostBytes,
      ofCharacter: (codePoint) => escapedCharacterBytes(codePoint) ?? sizeOfCharacter.bytes(codePoint),
      ofStyle: (style) => tagBytes(tagsOf(style)),
    },
  ];
  return {
    read: (markdown) => withKnownLinks(parseMarkdown(markdown), { isLinkable, limits }),
    limits,
    render: (text) => taggedText(text, tagsOf),
  };
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
    ...(link === undefined ? [] : [linkTag(link)]),
    ...(bold === undefined ? [] : [tagOf('b')]),
    ...(italic === undefined ? [] : [tagOf('i')]),
    ...(strike === undefined ? [] : [tagOf('s')]),
  ];
}
