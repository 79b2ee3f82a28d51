import { withKnownLinks } from './known-links.js';
import { parseMarkdown } from './markdown.js';
import type { FormedPart, ReplyForm } from './reply-form.js';
import type { PartLimit } from './split.js';
import type { StyledText, TextStyle } from './styled-text.js';
import {
  codeBlockTag,
  escapedCharacterBytes,
  escapedHtml,
  linkTag,
  type Tag,
  taggedText,
  tagOf,
} from './tagged-text.js';
import { sizeOfCharacter } from './text-unit.js';

/**
 * Matrix's HTML (spec.matrix.org, "m.room.message msgtypes"), with the tags that clients show. An event has 65,536 bytes of
 * JSON at most. An edit has the text twice without its markup, and once with it.
 */
const mostTextBytes = 15_000;
const mostHtmlBytes = 28_000;

/** URLs that clients make links of. */
const isLinkable = (url: string) => /^(?:https?|ftp|mailto|magnet):/i.test(url);

const lineEnd = '<br>';
/** Such blocks stand in lines of their own by themselves. */
const beforeBlock = /(?<!<br>)(?:<br>)+(?=<(?:pre|blockquote)>)/g;
const behindBlock = /(<\/(?:pre|blockquote)>)(?:<br>)+/g;

export function matrixHtml(): ReplyForm {
  const limits: readonly PartLimit[] = [
    { most: mostTextBytes, ofCharacter: jsonBytes },
    { most: mostHtmlBytes, ofCharacter: htmlBytes, ofStyle: styleBytes },
  ];
  return {
    read: (markdown) => withKnownLinks(parseMarkdown(markdown), { isLinkable, limits }),
    limits,
    render,
  };
}

/** True if the markup says more than the text alone. */
export function hasMarkup({ formed, plain }: FormedPart): boolean {
  return formed !== escapedHtml(plain).replaceAll('\n', lineEnd);
}

function render(text: StyledText): string {
  return taggedText(text, tagsOf, ofRun).replace(beforeBlock, '').replace(behindBlock, '$1');
}

function ofRun(run: string, { block }: TextStyle): string {
  const escaped = escapedHtml(run);
  return block === undefined ? escaped.replaceAll('\n', lineEnd) : escaped;
}

/** From the outside to the inside. */
function tagsOf({ quote, block, code, link, bold, italic, strike }: TextStyle): readonly Tag[] {
  const quotes = quote === undefined ? [] : [tagOf('blockquote')];
  if (block !== undefined) return [...quotes, codeBlockTag(block.language)];
  return [
    ...quotes,
    ...(link === undefined ? [] : [linkTag(link)]),
    ...(bold === undefined ? [] : [tagOf('strong')]),
    ...(italic === undefined ? [] : [tagOf('em')]),
    ...(strike === undefined ? [] : [tagOf('del')]),
    ...(code === undefined ? [] : [tagOf('code')]),
  ];
}

function jsonBytes(codePoint: number): number {
  if (codePoint === 0x22 || codePoint === 0x5c) return 2;
  if (codePoint < 0x20) return 6;
  return sizeOfCharacter.bytes(codePoint);
}

function htmlBytes(codePoint: number): number {
  return escapedCharacterBytes(codePoint) ?? jsonBytes(codePoint);
}

function styleBytes(style: TextStyle): number {
  return Buffer.byteLength(JSON.stringify(tagsOf(style).map(({ open, close }) => `${open}${close}`)));
}
