import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
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

/** Bytes that are given to the parser before others have their turn. */
const chunkBytes = 64 * 1024;
/** HTML that is longer becomes a file: to make text of it would keep everything else waiting. */
const longestHtml = 256 * 1024;

/** Longest subject that is kept, in characters. */
const longestSubject = 500;

/** Reads a mail. Rejects if that can't be done. */
export async function parseMail(bytes: Buffer): Promise<MailContent> {
  const { simpleParser } = await loadMailparser();
  const mail = await simpleParser(Readable.from(chunksOf(bytes)), {
    skipImageLinks: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    maxHtmlLengthToParse: longestHtml,
  });
  const [author, ...others] = mail.from?.value ?? [];
  const name = others.length === 0 ? (author?.name ?? '') : '';
  const files = mail.attachments.map(({ filename, contentType, content }) => ({
    name: filename ?? null,
    mediaType: contentType ?? null,
    bytes: content,
  }));
  const text = mail.text ?? '';
  const html = typeof mail.html === 'string' && text.trim() === '' ? mail.html : '';
  const isLong = html.length > longestHtml;
  return {
    subject: oneLine(mail.subject ?? '').slice(0, longestSubject),
    text: isLong ? '[The text is in mail.html.]' : text,
    authorName: name === '' ? null : oneLine(name).slice(0, 100),
    files: isLong
      ? [{ name: 'mail.html', mediaType: 'text/html', bytes: Buffer.from(html) }, ...files]
      : files,
  };
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
