import { hash } from 'node:crypto';
import type { GivenFile } from '../../store/new-attachments.js';
import { tokenUsage } from '../../store/token-usage.js';
import { plainMediaType } from '../../text/file-name.js';
import { AgentError, type AgentEvent } from '../agent.js';
import { oneLine } from '../one-line.js';
import type { ReplyFiles } from '../reply-files.js';

/** A tool call as the agent announced it. */
export interface ToolCallFacts {
  /** Such as "read" or "execute" (ACP, "Tool Calls"); "other" if the agent names none. */
  readonly kind: string;
  readonly title: string;
  /** Its arguments in JSON; of long ones a text in JSON, with their beginning and a digest. Undefined: none were given. */
  readonly input: string | undefined;
}

/** Tool calls of one turn that are remembered. */
const mostToolCalls = 1_000;

/** Characters of arguments in JSON that are kept whole, and of a tool call's id: agents write megabytes into them. */
const longestInput = 16 * 1_024;
const longestId = 500;
const longestKind = 20;

/** An object that JSON.parse gave, or an empty one: agents leave out and misname members. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** A tool call of an update or of a permission request; members that it leaves out are as they were `before`. */
export function toolCallFacts(value: unknown, before: ToolCallFacts | undefined): ToolCallFacts {
  const { kind, title, name, rawInput } = membersOf(value);
  const called = typeof title === 'string' ? title : typeof name === 'string' ? name : before?.title;
  return {
    kind: typeof kind === 'string' ? oneLine(kind, longestKind) : (before?.kind ?? 'other'),
    title: called === undefined ? 'a tool without a name' : oneLine(called),
    input: rawInput === undefined || rawInput === null ? before?.input : inputJson(rawInput),
  };
}

function inputJson(rawInput: unknown): string {
  const json = JSON.stringify(rawInput);
  if (json.length <= longestInput) return json;
  const digest = hash('sha256', json);
  return JSON.stringify(`${json.slice(0, longestInput / 2)}… (${json.length} characters, SHA-256 ${digest})`);
}

/** The text of a content block (ACP, "Content"); what is not text is named. */
export function contentText(block: unknown): string {
  const { type, text, uri, mimeType } = membersOf(block);
  switch (type) {
    case 'text':
      return typeof text === 'string' ? text : '';
    case 'resource_link':
      return typeof uri === 'string' ? uri : '';
    case 'image':
    case 'audio':
      return `[${type}${typeof mimeType === 'string' ? ` ${mimeType}` : ''}]`;
    default:
      return '';
  }
}

interface ContentFile extends GivenFile {
  readonly bytes: Buffer;
}

/** The file in a content block, such as an image; null: it is a text, a link, or something else. */
function contentFile(block: unknown): ContentFile | null {
  const { type, data, mimeType, uri, resource } = membersOf(block);
  if (type === 'resource') {
    const { blob, text, mimeType: innerType, uri: innerUri } = membersOf(resource);
    if (typeof blob === 'string') return fileOf(innerUri, innerType, Buffer.from(blob, 'base64'));
    return typeof text === 'string' ? fileOf(innerUri, innerType ?? 'text/plain', Buffer.from(text)) : null;
  }
  if ((type !== 'image' && type !== 'audio') || typeof data !== 'string') return null;
  return fileOf(uri, mimeType, Buffer.from(data, 'base64'));
}

function fileOf(uri: unknown, type: unknown, bytes: Buffer): ContentFile {
  const mediaType = typeof type === 'string' ? type : null;
  const [kind, format = ''] = plainMediaType(mediaType).split('/');
  const named = typeof uri === 'string' && !uri.endsWith('/') ? uri : `${kind}.${format.split(/[+;]/, 1)[0]}`;
  return { name: named, mediaType, bytes };
}

/** Makes the events and the reply of one turn from the updates of its session (`session/update`). */
export class TurnUpdates {
  /** By the tool call's id. */
  readonly #toolCalls = new Map<string, ToolCallFacts>();
  readonly #chunks: string[] = [];
  #bytes = 0;
  #lastCharacter = '\n';
  #messageId: unknown;
  #paragraphEnds = false;
  #acted = false;

  constructor(
    private readonly replyLimitBytes: number,
    private readonly emit: (event: AgentEvent) => void,
    private readonly files: Pick<ReplyFiles, 'add'>,
  ) {}

  get text(): string {
    return this.#chunks.join('');
  }

  /** True if the agent called a tool or made a plan. */
  get acted(): boolean {
    return this.#acted;
  }

  toolCall(id: unknown): ToolCallFacts | undefined {
    return typeof id === 'string' ? this.#toolCalls.get(id) : undefined;
  }

  /** Throws an AgentError if the reply is larger than it may be. */
  take(update: unknown): void {
    const members = membersOf(update);
    switch (members['sessionUpdate']) {
      case 'agent_message_chunk':
        if (!this.#file(members['content'])) {
          this.#message(contentText(members['content']), members['messageId']);
        }
        break;
      case 'tool_call':
      case 'tool_call_update':
        this.#tool(members);
        break;
      case 'plan':
        this.#plan(members['entries']);
        break;
      default:
      // Thoughts, commands, modes and whatever else may come are none of the reply.
    }
  }

  /** Takes a file for the reply; false if the content is none. */
  #file(content: unknown): boolean {
    const file = contentFile(content);
    if (file === null) return false;
    this.#acted = true;
    this.files.add(file, () => [file.bytes], file.bytes.length);
    return true;
  }

  /** Agents say a word before a tool call and go on behind it: these are paragraphs of their own. */
  #message(text: string, messageId: unknown): void {
    if (text === '') return;
    // Warnings of some agents have no id, between messages that have one.
    const isNext = messageId !== this.#messageId;
    const parts = (this.#paragraphEnds || isNext) && this.#bytes > 0;
    const apart = parts && this.#lastCharacter !== '\n' && !text.startsWith('\n');
    this.#messageId = messageId;
    this.#paragraphEnds = false;
    // No store keeps a NUL in a text.
    const piece = `${apart ? '\n\n' : ''}${text.replaceAll('\0', '\ufffd')}`;
    this.#bytes += Buffer.byteLength(piece);
    if (this.#bytes > this.replyLimitBytes) {
      throw new AgentError(
        'bad-reply',
        `the reply is larger than ${this.replyLimitBytes} bytes (agent.reply_limit); the agent was ended`,
        true,
      );
    }
    this.#lastCharacter = piece.at(-1) ?? '\n';
    this.#chunks.push(piece);
    this.emit({ type: 'delta', text: piece });
  }

  #tool(update: Readonly<Record<string, unknown>>): void {
    this.#acted = true;
    this.#paragraphEnds = true;
    const { toolCallId, status } = update;
    if (typeof toolCallId !== 'string' || toolCallId.length > longestId) return;
    const before = this.#toolCalls.get(toolCallId);
    const facts = toolCallFacts(update, before);
    if (before !== undefined || this.#toolCalls.size < mostToolCalls) this.#toolCalls.set(toolCallId, facts);
    const begins = before === undefined || before.title !== facts.title;
    if (begins && status !== 'completed' && status !== 'failed') this.#status(facts.title);
  }

  #plan(entries: unknown): void {
    this.#acted = true;
    if (!Array.isArray(entries)) return;
    const at = entries.findIndex((entry) => membersOf(entry)['status'] === 'in_progress');
    const { content } = membersOf(entries[at]);
    if (typeof content === 'string') this.#status(`${content} (step ${at + 1} of ${entries.length})`);
  }

  #status(text: string): void {
    const line = oneLine(text);
    if (line !== '') this.emit({ type: 'status', text: line });
  }
}

/** Tokens of a turn from the answer to a prompt, where an agent counts them there; null: it does not. */
export function usageOf(answer: unknown): AgentEvent | null {
  const { inputTokens, outputTokens } = membersOf(membersOf(answer)['usage']);
  const usage = tokenUsage(inputTokens, outputTokens);
  return usage === null ? null : { type: 'usage', usage };
}
