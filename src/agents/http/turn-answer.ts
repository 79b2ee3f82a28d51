import type { Metadata, TokenUsage } from '../../store/messages.js';
import { tokenUsage } from '../../store/token-usage.js';
import { parseJson } from '../../text/bounded-json.js';
import { AgentError, type AgentEvent, type AgentReply } from '../agent.js';
import { contentOfBase64, type ReplyFiles } from '../reply-files.js';
import { replyMetadataMistake } from '../reply-metadata.js';
import type { ServerSentEvent } from '../server-sent-events.js';

type Table = Readonly<Record<string, unknown>>;

/** Collects the answer of an agent behind HTTP, within `replyLimit` bytes of text. Its files go to `files`. */
export class TurnAnswer {
  readonly #replyLimit: number;
  readonly #pieces: string[] = [];
  #sizeBytes = 0;

  readonly #files: Pick<ReplyFiles, 'add'>;

  constructor(replyLimit: number, files: Pick<ReplyFiles, 'add'>) {
    this.#replyLimit = replyLimit;
    this.#files = files;
  }

  /** Takes one event of a stream: `delta`, `status`, `usage`, `file`, `error` or, as the last one, `reply`. @throws AgentError */
  takeEvent({ type, data }: ServerSentEvent): AgentEvent | null {
    switch (type) {
      case 'delta': {
        const text = textIn(tableOf(data));
        this.#add(text);
        return { type: 'delta', text };
      }
      case 'status':
        return { type: 'status', text: textIn(tableOf(data)) };
      case 'usage':
        return { type: 'usage', usage: usageIn(tableOf(data)) };
      case 'file':
        this.#addFile(tableOf(data));
        return null;
      case 'error': {
        const { message } = tableOf(data);
        const text = typeof message === 'string' ? message : JSON.stringify(message);
        throw new AgentError('failed', `the agent said that it failed: ${text}`, true);
      }
      case 'reply':
        return { type: 'end', reply: this.#replyIn(data === '' ? {} : tableOf(data)) };
      default:
        // Events of a later version.
        return null;
    }
  }

  /** Takes a body of JSON. @throws AgentError */
  takeJson(body: string): AgentReply {
    const table = tableOf(body);
    if (typeof table['text'] !== 'string') throw badReply('has no "text"');
    return this.#replyIn(table);
  }

  /** Takes a body of text. @throws AgentError */
  takeText(text: string): AgentReply {
    this.#add(text);
    return { text: text.replace(/\r?\n$/, ''), metadata: {} };
  }

  /** Without a text it is what the deltas have. */
  #replyIn(table: Table): AgentReply {
    const metadata = metadataIn(table['metadata'] ?? {});
    const { attachments = [] } = table;
    if (!Array.isArray(attachments)) throw badReply('has "attachments" that are no array');
    for (const file of attachments) this.#addFile(Object(file));
    if (table['text'] === undefined) return { text: this.#pieces.join(''), metadata };
    const text = textIn(table);
    this.#sizeBytes = 0;
    this.#add(text);
    return { text, metadata };
  }

  #addFile({ name, media_type: mediaType = null, data }: Table): void {
    const bytes = typeof data === 'string' ? contentOfBase64(data) : null;
    const isNamed = typeof name === 'string' && (mediaType === null || typeof mediaType === 'string');
    if (bytes === null || !isNamed) throw badReply('has a file without a "name" and "data" in base64');
    this.#files.add({ name, mediaType: mediaType as string | null }, () => [bytes], bytes.length);
  }

  #add(text: string): void {
    this.#sizeBytes += Buffer.byteLength(text);
    if (this.#sizeBytes > this.#replyLimit) {
      throw badReply(`is larger than ${this.#replyLimit} bytes (agent.reply_limit)`);
    }
    // No store keeps it in a text: PostgreSQL refuses it, and C programs would see the reply end there.
    if (text.includes('\0')) throw badReply('has a NUL byte');
    this.#pieces.push(text);
  }
}

function badReply(what: string): AgentError {
  return new AgentError('bad-reply', `the agent’s reply ${what}`, true);
}

function tableOf(text: string): Table {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    value = null;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Table;
  throw badReply(`is no JSON object: ${JSON.stringify(text.slice(0, 80))}`);
}

function textIn({ text }: Table): string {
  if (typeof text !== 'string') throw badReply('has an event without "text"');
  // Has U+FFFD for each surrogate that is no part of a pair.
  return Buffer.from(text).toString();
}

function usageIn({ input_tokens: inputTokens, output_tokens: outputTokens }: Table): TokenUsage {
  const usage = tokenUsage(inputTokens, outputTokens);
  if (usage === null) throw badReply('has a "usage" without "input_tokens" and "output_tokens"');
  return usage;
}

function metadataIn(value: unknown): Metadata {
  const mistake = replyMetadataMistake(value);
  if (mistake !== null) throw badReply(`has "metadata" that ${mistake}`);
  return value as Metadata;
}
