import { inlineText } from './inline-text.js';
import { type MarkdownToken, markdownTokens } from './markdown-tokens.js';
import { noStyle, type StyledText, StyledTextBuilder, type TextStyle } from './styled-text.js';
import { tableText } from './table-text.js';

const bullet = '\u2022';
const rule = '\u2014\u2014\u2014';
const task = /^\[([ xX])\] /;

/**
 * Reads Markdown as models write it. Lines stay lines, and nothing of the text is lost: what is no Markdown stays as it is,
 * and so does text that is too long or too deep for a chat.
 */
export function parseMarkdown(markdown: string): StyledText {
  const text = markdown.replace(/\r\n?/g, '\n');
  const tokens = markdownTokens(text);
  if (tokens === null) return text.trim() === '' ? [] : [{ text, style: noStyle }];
  return new BlockReader(text.split('\n')).read(tokens);
}

/** Reads the blocks, one below the other. */
class BlockReader {
  readonly #builder = new StyledTextBuilder();
  readonly #lines: readonly string[];
  #listDepth = 0;
  /** The marks of list items that have no text yet, one within the other, and the lines of the innermost. */
  #marks: string[] = [];
  #markMap: MarkdownToken['map'] = null;
  #quoteDepth = 0;
  #quotes = 0;
  #quoteBefore = 0;
  #endBefore = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  read(tokens: readonly MarkdownToken[]): StyledText {
    for (let index = 0; index < tokens.length; index += 1) {
      const token = tokens[index];
      if (token === undefined) break;
      if (token.type === 'table_open') {
        const begin = index;
        while (index < tokens.length && tokens[index]?.type !== 'table_close') index += 1;
        this.#table(token, tokens.slice(begin, index));
      } else this.#take(token, tokens[index - 1]);
    }
    return this.#builder.build();
  }

  #take(token: MarkdownToken, opening: MarkdownToken | undefined): void {
    switch (token.type) {
      case 'blockquote_open':
        if (this.#quoteDepth === 0) this.#quotes += 1;
        this.#quoteDepth += 1;
        break;
      case 'blockquote_close':
        this.#quoteDepth -= 1;
        break;
      case 'bullet_list_open':
      case 'ordered_list_open':
        this.#listDepth += 1;
        break;
      case 'bullet_list_close':
      case 'ordered_list_close':
        this.#listDepth -= 1;
        break;
      case 'list_item_open':
        this.#marks.push(token.info === '' ? bullet : `${token.info}${token.markup}`);
        this.#markMap = token.map;
        break;
      case 'list_item_close':
        // One without a text.
        if (this.#marks.length > 0) this.#block([], this.#markMap);
        break;
      case 'inline':
        this.#block(
          inlineText(token, opening?.type === 'heading_open' ? { ...this.#style, bold: true } : this.#style),
          token.map,
        );
        break;
      case 'hr':
        this.#block([{ text: rule, style: this.#style }], token.map);
        break;
      case 'fence':
        this.#code(token.content.replace(/\n$/, ''), languageOf(token.info), token.map);
        break;
    }
  }

  get #style(): TextStyle {
    return this.#quoteDepth > 0 ? { quote: true } : noStyle;
  }

  #table(opening: MarkdownToken, tokens: readonly MarkdownToken[]): void {
    const [begin, end] = opening.map ?? [0, 0];
    this.#code(tableText(tokens, this.#lines.slice(begin, end)), '', opening.map);
  }

  #code(text: string, language: string, map: MarkdownToken['map']): void {
    this.#block([{ text, style: { ...this.#style, block: { language } } }], map);
  }

  /** Puts a block behind those before, with an empty line between them if the source has one. */
  #block(runs: StyledText, map: MarkdownToken['map']): void {
    const text = this.#withMark(runs);
    const quote = this.#quoteDepth > 0 ? this.#quotes : 0;
    const [begin, end] = map ?? [this.#endBefore, this.#endBefore];
    if (!this.#builder.isEmpty) {
      const isSameQuote = quote > 0 && quote === this.#quoteBefore;
      this.#builder.append(begin > this.#endBefore ? '\n\n' : '\n', isSameQuote ? this.#style : noStyle);
    }
    this.#builder.appendAll(text);
    this.#quoteBefore = quote;
    this.#endBefore = end;
  }

  /** Puts the marks of lists and of quotes within quotes before the text. */
  #withMark(runs: StyledText): StyledText {
    const style = this.#style;
    const [first, ...rest] = runs;
    const marks = this.#marks;
    this.#marks = [];
    const isCode = first?.style.block !== undefined;
    if (isCode && marks.length === 0) return runs;
    const quotes = '> '.repeat(Math.max(0, this.#quoteDepth - 1));
    const indent = '  '.repeat(this.#listDepth - marks.length);
    const box = first === undefined || marks.length === 0 ? undefined : task.exec(first.text)?.[1];
    if (first === undefined || box === undefined) {
      const space = marks.length === 0 || first === undefined ? '' : isCode ? '\n' : ' ';
      return [{ text: `${quotes}${indent}${marks.join(' ')}${space}`, style }, ...runs];
    }
    const sign = box === ' ' ? '\u2610' : '\u2611';
    const text = `${quotes}${indent}${[...marks.filter((mark) => mark !== bullet), sign].join(' ')} `;
    return [{ text, style }, { text: first.text.slice(4), style: first.style }, ...rest];
  }
}

/** The language of a code block: the first word behind its fence. Empty: it names none. */
export function languageOf(info: string): string {
  return /^[\w+#.-]{1,20}(?=[\s{},]|$)/.exec(info)?.[0] ?? '';
}
