/** One event of a stream (HTML Standard, 9.2). */
export interface ServerSentEvent {
  /** "message" if the stream names none. */
  readonly type: string;
  readonly data: string;
}

/** The bytes are no stream of events, or one event is too large. The message goes on after "the stream ". */
export class EventStreamError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EventStreamError';
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Takes the bytes of a stream as they come, and gives the events that are whole. Keeps no more than one event. */
export class EventStreamParser {
  readonly #line: LineBuffer;
  readonly #limitBytes: number;
  #isFirstLine = true;
  /** A line feed that comes next belongs to the carriage return before it. */
  #skipsLineFeed = false;
  #type = '';
  #data: string[] = [];
  #dataBytes = 0;

  /** @param limitBytes of one event, and of one line */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#line = new LineBuffer(limitBytes);
  }

  /** @throws EventStreamError */
  *push(chunk: Uint8Array): Generator<ServerSentEvent> {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte !== lineFeed && byte !== carriageReturn) {
        this.#skipsLineFeed = false;
        continue;
      }
      if (byte === lineFeed && this.#skipsLineFeed) {
        this.#skipsLineFeed = false;
        from = at + 1;
        continue;
      }
      this.#skipsLineFeed = byte === carriageReturn;
      this.#line.append(chunk.subarray(from, at));
      from = at + 1;
      const event = this.#take(this.#line.take());
      if (event !== null) yield event;
    }
    this.#line.append(chunk.subarray(from));
  }

  /** Gives the event that the line ends. */
  #take(whole: string): ServerSentEvent | null {
    const line = this.#isFirstLine ? whole.replace(/^\ufeff/, '') : whole;
    this.#isFirstLine = false;
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#type = value;
    if (name !== 'data') return null;
    this.#dataBytes += Buffer.byteLength(value) + 1;
    if (this.#dataBytes > this.#limitBytes) throw tooLarge('an event', this.#limitBytes);
    this.#data.push(value);
    return null;
  }

  #dispatch(): ServerSentEvent | null {
    const event =
      this.#data.length === 0 ? null : { type: this.#type || 'message', data: this.#data.join('\n') };
    this.#type = '';
    this.#data = [];
    this.#dataBytes = 0;
    return event;
  }
}

function tooLarge(what: string, limitBytes: number): EventStreamError {
  return new EventStreamError(`has ${what} of more than ${limitBytes} bytes`);
}

const usualLineBytes = 4_096;

/** Collects a line, however small its pieces are. */
class LineBuffer {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #limitBytes: number;
  #bytes = Buffer.allocUnsafe(usualLineBytes);
  #length = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#limitBytes) throw tooLarge('a line', this.#limitBytes);
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = length;
  }

  /** Gives the line, and begins the next one. */
  take(): string {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    let text: string;
    try {
      text = this.#decoder.decode(bytes);
    } catch (cause) {
      throw new EventStreamError('is not UTF-8', { cause });
    }
    // A long line must not be paid for until the stream's end.
    if (this.#bytes.length > usualLineBytes * 16) this.#bytes = Buffer.allocUnsafe(usualLineBytes);
    return text;
  }
}
