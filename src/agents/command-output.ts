import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import { z } from 'zod';
import type { Metadata } from '../store/messages.js';
import type { GivenFile } from '../store/new-attachments.js';
import { parseJson } from '../text/bounded-json.js';
import { mediaTypeOfName } from '../text/file-name.js';
import { GatheredBytes } from '../text/gathered-bytes.js';
import { LineSplitter } from '../text/lines.js';
import { AgentError, type AgentEvent, type AgentReply } from './agent.js';
import { contentOfBase64 } from './reply-files.js';
import { replyMetadataMistake } from './reply-metadata.js';

/** The form of a command's standard output. */
export type CommandOutput = 'text' | 'jsonl';

/** Takes a command's standard output as it comes, and makes its reply of it. */
export interface OutputReader {
  /** Gives why the turn fails whatever comes still; null: it goes on. */
  write(bytes: Buffer): AgentError | null;
  /** All has come. */
  end(): AgentReply | AgentError;
}

/** A file that a command has made for its reply: its path, absolute or relative to its current directory, or its content. */
export type OutputFile = GivenFile & ({ readonly path: string } | { readonly bytes: Buffer });

/**
 * @param limitBytes of the reply (agent.reply_limit)
 * @param hasStatus false if nothing but the output says how the command has ended
 */
export function outputReader(
  form: CommandOutput,
  limitBytes: number,
  onEvent: (event: AgentEvent) => void,
  onFile: (file: OutputFile) => void,
  hasStatus = true,
): OutputReader {
  return form === 'jsonl'
    ? new LineReader(limitBytes, onEvent, onFile, hasStatus)
    : new TextReader(limitBytes, onEvent);
}

function tooLarge(limitBytes: number): AgentError {
  return new AgentError(
    'bad-reply',
    `the reply is larger than ${limitBytes} bytes (agent.reply_limit); the command was ended`,
    true,
  );
}

/** No store keeps it in a text: PostgreSQL refuses it, and C programs would see the reply end there. */
function nulByte(): AgentError {
  return new AgentError('bad-reply', 'the reply on standard output has a NUL byte', true);
}

/** All of it is the reply, but for a line feed at its end. */
class TextReader implements OutputReader {
  readonly #gathered = new GatheredBytes();
  readonly #decoder = new StringDecoder('utf8');
  /** Ends of lines that may be the end of the output, which is no part of the reply. */
  #heldBack = '';

  constructor(
    private readonly limitBytes: number,
    private readonly onEvent: (event: AgentEvent) => void,
  ) {}

  write(bytes: Buffer): AgentError | null {
    if (this.#gathered.sizeBytes + bytes.length > this.limitBytes) {
      this.#gathered.clear();
      return tooLarge(this.limitBytes);
    }
    if (bytes.includes(0)) return nulByte();
    this.#gathered.add(bytes);
    const text = this.#heldBack + this.#decoder.write(bytes);
    const end = /\r?\n?$/.exec(text)?.index ?? text.length;
    this.#heldBack = text.slice(end);
    if (end > 0) this.onEvent({ type: 'delta', text: text.slice(0, end) });
    return null;
  }

  end(): AgentReply | AgentError {
    const bytes = this.#gathered.take();
    if (!isUtf8(bytes)) {
      return new AgentError('bad-reply', 'the reply on standard output is not valid UTF-8', true);
    }
    return { text: bytes.toString('utf8').replace(/\r?\n$/, ''), metadata: {} };
  }
}

const count = z.int().min(0);

const line = z.discriminatedUnion('type', [
  z.object({ type: z.literal('delta'), text: z.string() }),
  z.object({ type: z.literal('status'), text: z.string() }),
  z.object({ type: z.literal('usage'), input_tokens: count, output_tokens: count }),
  z.object({
    type: z.literal('file'),
    path: z.string().optional(),
    data: z.string().optional(),
    name: z.string().optional(),
    media_type: z.string().optional(),
  }),
  z.object({
    type: z.literal('reply'),
    text: z.string().optional(),
    metadata: z.unknown().optional(),
  }),
  z.object({ type: z.literal('error'), text: z.string() }),
]);

/** A line may have a reply in which each character is escaped. */
const longestEscape = 6;
const roomForOthers = 65_536;

/** Each line is an event in JSON. */
class LineReader implements OutputReader {
  readonly #decoder = new StringDecoder('utf8');
  readonly #splitter: LineSplitter;
  #lines = 0;
  /** All deltas: the reply, unless it is said. */
  #text = '';
  #size = 0;
  #reply: AgentReply | null = null;
  #failure: AgentError | null = null;

  constructor(
    private readonly limitBytes: number,
    private readonly onEvent: (event: AgentEvent) => void,
    private readonly onFile: (file: OutputFile) => void,
    private readonly hasStatus: boolean,
  ) {
    this.#splitter = new LineSplitter(longestEscape * limitBytes + roomForOthers);
  }

  write(bytes: Buffer): AgentError | null {
    return this.#take(this.#decoder.write(bytes));
  }

  end(): AgentReply | AgentError {
    // The last line needs no line feed.
    const failure = this.#take(`${this.#decoder.end()}\n`);
    if (failure !== null) return failure;
    if (this.#reply !== null || this.hasStatus) return this.#reply ?? { text: this.#text, metadata: {} };
    return new AgentError('killed', 'the output ended without {"type": "reply"}', true);
  }

  #take(text: string): AgentError | null {
    let lines: readonly string[];
    try {
      lines = this.#splitter.push(text);
    } catch {
      this.#failure ??= tooLarge(this.limitBytes);
      return this.#failure;
    }
    for (const each of lines) {
      this.#lines += 1;
      if (each.trim() !== '') this.#failure ??= this.#line(each);
    }
    return this.#failure;
  }

  #line(text: string): AgentError | null {
    const event = parsed(text);
    if (event === null) return this.#noEvent(text);
    switch (event.type) {
      case 'delta':
        this.#text += event.text;
        this.#size += Buffer.byteLength(event.text);
        if (event.text.includes('\0')) return nulByte();
        this.onEvent(event);
        break;
      case 'status':
        this.onEvent(event);
        break;
      case 'usage': {
        const usage = { inputTokens: event.input_tokens, outputTokens: event.output_tokens };
        this.onEvent({ type: 'usage', usage });
        break;
      }
      case 'file': {
        const { path, data, name = path ?? '', media_type: mediaType = mediaTypeOfName(name) } = event;
        const bytes = data === undefined ? null : contentOfBase64(data);
        if (bytes !== null && path === undefined) this.onFile({ bytes, name, mediaType });
        else if (path !== undefined && data === undefined) this.onFile({ path, name, mediaType });
        else return this.#noEvent(text);
        break;
      }
      case 'error':
        return new AgentError('failed', `the command failed: ${event.text}`, true);
      case 'reply': {
        const reply = event.text ?? this.#text;
        if (reply.includes('\0')) return nulByte();
        const { metadata = {} } = event;
        const mistake = replyMetadataMistake(metadata);
        if (mistake !== null) return badMetadata(mistake);
        this.#reply = { text: reply, metadata: metadata as Metadata };
        this.#size = Buffer.byteLength(reply);
        break;
      }
    }
    return this.#size > this.limitBytes ? tooLarge(this.limitBytes) : null;
  }

  #noEvent(text: string): AgentError {
    return new AgentError(
      'bad-reply',
      `line ${this.#lines} on standard output is no event (agent.output is "jsonl"): ${JSON.stringify(text.slice(0, 100))}`,
      true,
    );
  }
}

function badMetadata(mistake: string): AgentError {
  return new AgentError('bad-reply', `"metadata" of the reply on standard output ${mistake}`, true);
}

function parsed(text: string): z.output<typeof line> | null {
  try {
    return line.parse(parseJson(text));
  } catch {
    return null;
  }
}
