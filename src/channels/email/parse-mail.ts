import { addAbortSignal, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MailParser } from 'mailparser';
import { loadMailparser } from './optional-packages.js';

/** The readable content of a mail. */
export interface MailContent {
  /** In one line; empty: it has none. */
  readonly subject: string;
  /** The author's words; of a mail in HTML alone, its text. */
  readonly text: string;
  /** The name that the author has given themselves; null: none. */
  readonly authorName: string | null;
  readonly files: readonly MailFile[];
}

export interface MailFile {
  readonly name: string | null;
  readonly mediaType: string | null;
  readonly bytes: Buffer;
}

/** Bytes that are given to the parser before others have their turn. They may be thousands of lines. */
const chunkBytes = 16 * 1024;
/** Bytes of text and HTML that are parsed: all of it is decoded in one go. */
const longestParsed = 1024 * 1024;
/** HTML that is longer becomes a file: to make text of it would keep everything else waiting. */
const longestHtml = 256 * 1024;

/** Longest subject that is kept, in characters. */
const longestSubject = 500;

/** Reads a mail. Rejects if that can't be done. */
export async function parseMail(bytes: Buffer): Promise<MailContent> {
  const { MailParser: Parser } = await loadMailparser();
  const parser = new Parser({
    skipImageLinks: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    maxHtmlLengthToParse: longestHtml,
  });
  const isCut = boundText(parser);
  const { text, html, files } = await partsOf(Readable.from(chunksOf(bytes)).pipe(parser));
  const [author, ...others] = parser.from?.value ?? [];
  const name = others.length === 0 ? (author?.name ?? '') : '';
  return {
    subject: oneLine(parser.subject ?? '').slice(0, longestSubject),
    authorName: name === '' ? null : oneLine(name).slice(0, 100),
    ...contentOf({ text, html: text.trim() === '' ? html : '', files, whole: isCut() ? bytes : null }),
  };
}

interface MailParts {
  readonly text: string;
  readonly html: string;
  readonly files: readonly MailFile[];
}

/** Says where all of a long text is. `whole`: the mail, if its text was cut; else null. */
function contentOf({
  text,
  html,
  files,
  whole,
}: MailParts & { readonly whole: Buffer | null }): Pick<MailContent, 'text' | 'files'> {
  if (whole !== null) {
    const mail = { name: 'mail.eml', mediaType: 'message/rfc822', bytes: whole };
    // First, as an answer's end may be cut once more.
    const cut = `[The text is cut. All of it is in mail.eml.]\n\n${text.trimStart()}`;
    return { text: cut.slice(0, longestHtml), files: [mail, ...files] };
  }
  if (html.length <= longestHtml) return { text, files };
  const page = { name: 'mail.html', mediaType: 'text/html', bytes: Buffer.from(html) };
  return { text: '[The text is in mail.html.]', files: [page, ...files] };
}

async function partsOf(parser: MailParser): Promise<MailParts> {
  let text = '';
  let html = '';
  const files: MailFile[] = [];
  // A parser that has failed never ends the file that it was at.
  const failure = new AbortController();
  parser.once('error', (error) => failure.abort(error));
  for await (const part of parser) {
    if (part.type === 'text') {
      text = part.text || '';
      html = part.html || '';
      continue;
    }
    const { filename, contentType, content } = part;
    const bytes = await buffer(addAbortSignal(failure.signal, content));
    files.push({ name: filename ?? null, mediaType: contentType ?? null, bytes });
    part.release();
  }
  return { text, html, files };
}

/** Part of mailparser 3.14 that its types leave out: the present part of the mail, and the way of each piece of it. */
interface ParserPieces {
  readonly curnode: false | { readonly disposition?: string };
  processChunk(piece: { readonly type: string; value?: Buffer }, done: () => void): void;
}

/** Has the parser leave out text beyond the limit. Gives a function that says if there was any. */
function boundText(parser: MailParser): () => boolean {
  const pieces = parser as unknown as ParserPieces;
  const process = pieces.processChunk.bind(pieces);
  let leftBytes = longestParsed;
  pieces.processChunk = (piece, done) => {
    const { curnode } = pieces;
    if (piece.type === 'body' && piece.value && curnode !== false && curnode.disposition === 'inline') {
      const { length } = piece.value;
      piece.value = piece.value.subarray(0, Math.max(leftBytes, 0));
      leftBytes -= length;
    }
    process(piece, done);
  };
  return () => leftBytes < 0;
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    yield bytes.subarray(from, from + chunkBytes);
    await nextTurn();
  }
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
}
