/** One part of a form (RFC 7578). */
export interface FormPart {
  readonly name: string;
  /** Null: the part is no file. */
  readonly filename: string | null;
  /** As it was sent; null: the part has none. */
  readonly mediaType: string | null;
  /** To be read to its end before the next part is asked for. */
  readonly body: AsyncIterable<Buffer>;
}

/** The body is no form. The message goes on after "The body ". */
export class FormError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FormError';
  }
}

/** RFC 2046, section 5.1.1. */
const boundaryPattern = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;

/** The boundary in a `Content-Type` of multipart/form-data; null: it is another type, or has none that can be used. */
export function boundaryOf(contentType: string): string | null {
  const parameter = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]*)"|([^\s;]+))/i.exec(contentType);
  const boundary = parameter?.[1] ?? parameter?.[2] ?? '';
  return boundaryPattern.test(boundary) ? boundary : null;
}

/** Headers of one part, in bytes. */
const longestHeaders = 8 * 1_024;
const lineEnd = Buffer.from('\r\n');
const headersEnd = Buffer.from('\r\n\r\n');
const lastMark = Buffer.from('--');

/**
 * Reads a form as its bytes come. No more of it is in memory than one read and the headers of a part. The source is read
 * by hand, and never ended: its rest is the caller's.
 *
 * @throws FormError
 */
export async function* formParts(source: AsyncIterator<Buffer>, boundary: string): AsyncGenerator<FormPart> {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first delimiter has no line before it.
  const input = new FormInput(source, lineEnd);
  if (!(await input.takeExactly(delimiter))) throw new FormError('does not begin with its boundary');
  for (;;) {
    if (await input.takeExactly(lastMark)) return;
    if (!(await input.takeExactly(lineEnd))) throw new FormError('has something behind a boundary');
    const headers = await input.takeUntil(headersEnd, longestHeaders);
    let isRead = false;
    const body = async function* () {
      yield* input.bodyUntil(delimiter);
      isRead = true;
    };
    yield { ...partOf(headers), body: body() };
    if (!isRead) throw new Error('A part of a form was not read to its end.');
  }
}

/** Holds what has come, as far as it is not taken yet. */
class FormInput {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer;

  constructor(source: AsyncIterator<Buffer>, begin: Buffer) {
    this.#source = source;
    this.#rest = begin;
  }

  /** True if these are the next bytes, which are taken then. */
  async takeExactly(bytes: Buffer): Promise<boolean> {
    while (this.#rest.length < bytes.length) await this.#fill();
    if (!this.#rest.subarray(0, bytes.length).equals(bytes)) return false;
    this.#rest = this.#rest.subarray(bytes.length);
    return true;
  }

  async takeUntil(end: Buffer, limitBytes: number): Promise<Buffer> {
    for (;;) {
      const at = this.#rest.indexOf(end);
      if (at !== -1 && at <= limitBytes) {
        const taken = this.#rest.subarray(0, at);
        this.#rest = this.#rest.subarray(at + end.length);
        return taken;
      }
      if (this.#rest.length > limitBytes) {
        throw new FormError(`has a part with headers of more than ${limitBytes} bytes`);
      }
      await this.#fill();
    }
  }

  async *bodyUntil(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#rest.indexOf(delimiter);
      // The end of what has come may be the beginning of the delimiter.
      const end = at === -1 ? Math.max(0, this.#rest.length - delimiter.length + 1) : at;
      const piece = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(at === -1 ? end : at + delimiter.length);
      if (piece.length > 0) yield piece;
      if (at !== -1) return;
      await this.#fill();
    }
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done === true) throw new FormError('ends before its last boundary');
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
  }
}

/** Reads the headers of a part. */
function partOf(bytes: Buffer): Omit<FormPart, 'body'> {
  const headers = new Map(
    textOf(bytes)
      .split('\r\n')
      .map((line) => {
        const colon = line.indexOf(':');
        if (colon < 1) throw new FormError('has a part with a line that is no header');
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
  );
  const disposition = headers.get('content-disposition') ?? '';
  if (!/^form-data\s*(;|$)/i.test(disposition)) throw new FormError('has a part that is no form-data');
  const name = parameterIn(disposition, 'name');
  if (name === null) throw new FormError('has a part without a name');
  const mediaType = headers.get('content-type') ?? null;
  return { name, filename: parameterIn(disposition, 'filename'), mediaType };
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormError('has a part whose headers are not UTF-8');
  }
}

/** Browsers write a quotation mark as %22 and line ends as %0D and %0A (HTML Standard, 4.10.21.8), and curl \" and \\. */
function parameterIn(disposition: string, wanted: string): string | null {
  for (const [, name = '', quoted, plain] of disposition.matchAll(
    /;\s*([\w*-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;"]+))/g,
  )) {
    if (name.toLowerCase() !== wanted) continue;
    return (quoted?.replace(/\\(["\\])/g, '$1') ?? plain ?? '').replaceAll('%22', '"');
  }
  return null;
}
