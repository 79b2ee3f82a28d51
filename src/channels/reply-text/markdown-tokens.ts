import markdownIt, { type MarkdownIt, type Token } from 'markdown-it';

export type MarkdownToken = Token;

/** Longer texts would take noticeable time of the event loop, and nobody reads them in a chat. */
const longestMarkdown = 32_768;
const deepest = 40;

let parser: MarkdownIt | null = null;

function markdownParser(): MarkdownIt {
  if (parser !== null) return parser;
  parser = markdownIt({ html: false, linkify: true, maxNesting: deepest });
  // A definition of a link would vanish, and text that is indented is a list's more often than code.
  parser.disable(['reference', 'code']);
  parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  // Each platform decides by itself which links it shows, and as they are written.
  parser.validateLink = () => true;
  parser.normalizeLink = (url: string) => url;
  parser.normalizeLinkText = (url: string) => url;
  return parser;
}

/**
 * The tokens of CommonMark with GFM's tables and strikethrough, but for raw HTML, reference definitions and indented code.
 * Null: the text is too long, or nested so deep that the parser leaves something out.
 */
export function markdownTokens(text: string): readonly MarkdownToken[] | null {
  if (text.length > longestMarkdown) return null;
  const tokens = markdownParser().parse(text, {});
  return isTooDeep(tokens) ? null : tokens;
}

/** The blocks alone; null as of `markdownTokens`. */
export function markdownBlocks(text: string): readonly MarkdownToken[] | null {
  if (text.length > longestMarkdown) return null;
  const tokens: Token[] = [];
  const markdown = markdownParser();
  markdown.block.parse(text, markdown, {}, tokens);
  return isTooDeep(tokens) ? null : tokens;
}

function isTooDeep(tokens: readonly Token[]): boolean {
  return tokens.some(({ level }) => level >= deepest - 1);
}
