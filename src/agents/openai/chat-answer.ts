import type { TokenUsage } from '../../store/messages.js';
import { tokenUsage } from '../../store/token-usage.js';
import { parseJson } from '../../text/bounded-json.js';
import { AgentError, type AgentEvent } from '../agent.js';
import { BrokenAnswer, serverError } from './verdict.js';

type Table = Readonly<Record<string, unknown>>;

function tableOf(value: unknown): Table | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : null;
}

/** Collects the answer of a chat completion, whole or in the pieces of a stream, within `replyLimit` bytes of text. */
export class ChatAnswer {
  readonly #replyLimit: number;
  readonly #pieces: string[] = [];
  #sizeBytes = 0;
  /** The first half of a surrogate pair. */
  #half = '';
  /** A choice was there, though it may have no text. */
  #hasChoice = false;
  #isThinking = false;
  #calledTool = false;
  #isDone = false;
  /** The reply's metadata: the model, and why it ended. */
  readonly #facts: { model?: string; finish_reason?: string } = {};
  #usage: TokenUsage | null = null;

  constructor(replyLimit: number) {
    this.#replyLimit = replyLimit;
  }

  /** The server has said that nothing follows. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Takes the data of one event of a stream.
   *
   * @throws BrokenAnswer, AgentError
   */
  takeEvent(data: string): readonly AgentEvent[] {
    if (data.startsWith('[DONE]')) {
      this.#isDone = true;
      return [];
    }
    // Some keep the connection alive with it.
    if (data === '') return [];
    const chunk = parsed(data);
    this.#takeFacts(chunk);
    const choice = firstChoice(chunk);
    if (choice === null) return [];
    const delta = tableOf(choice['delta']) ?? {};
    return this.#takeChoice(choice, delta);
  }

  /**
   * Takes the body of an answer that is no stream.
   *
   * @throws BrokenAnswer, AgentError
   */
  takeWhole(body: string): readonly AgentEvent[] {
    const answer = parsed(body);
    this.#takeFacts(answer);
    const choice = firstChoice(answer);
    const message = tableOf(choice?.['message']);
    if (choice === null || message === null) {
      throw new BrokenAnswer('the model’s server answered without a message ("choices")');
    }
    this.#isDone = true;
    return this.#takeChoice(choice, message).filter(({ type }) => type !== 'status');
  }

  /** Ends the answer: gives what it costs and the reply. Throws a BrokenAnswer if it was cut off. */
  end(): readonly AgentEvent[] {
    if (!this.#isDone && this.#facts.finish_reason === undefined) {
      throw new BrokenAnswer('the stream of the model’s server ended in the middle of the reply');
    }
    if (!this.#hasChoice) throw new BrokenAnswer('the model’s server answered without a reply');
    const text = this.#pieces.join('');
    if (text === '') this.#refuseEmpty();
    const usage = this.#usage;
    return [
      ...(usage === null ? [] : [{ type: 'usage', usage } as const]),
      { type: 'end', reply: { text, metadata: { ...this.#facts } } },
    ];
  }

  /** A reply of a model may be empty, but not for these reasons. */
  #refuseEmpty(): void {
    if (this.#calledTool) {
      throw new AgentError(
        'bad-reply',
        'the model asked for a tool, and the gateway runs none: take "tools" out of agent.parameters, or use an agent that has tools',
        false,
      );
    }
    if (this.#facts.finish_reason === 'content_filter') {
      throw new AgentError('failed', 'the server’s content filter withheld the reply', false);
    }
    if (this.#facts.finish_reason === 'length') {
      throw new AgentError(
        'bad-reply',
        'the model reached its limit of tokens before the first word of the reply: raise max_tokens in agent.parameters',
        false,
      );
    }
  }

  #takeFacts(answer: Table): void {
    if (answer['error'] !== undefined && answer['error'] !== null) throw serverError(answer['error']);
    const { model } = answer;
    if (typeof model === 'string' && model !== '') this.#facts.model = shortened(model);
    const usage = tableOf(answer['usage']);
    if (usage === null) return;
    const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = usage;
    this.#usage = tokenUsage(inputTokens, outputTokens) ?? this.#usage;
  }

  /** @param content the table with the text: a `delta` or a `message` */
  #takeChoice(choice: Table, content: Table): readonly AgentEvent[] {
    this.#hasChoice = true;
    if (typeof choice['finish_reason'] === 'string') {
      this.#facts.finish_reason = shortened(choice['finish_reason']);
    }
    if (content['tool_calls'] || content['function_call']) this.#calledTool = true;
    const text = this.#add(textOf(content['content']) + textOf(content['refusal']));
    if (text !== '') return [{ type: 'delta', text }];
    const thinks = textOf(content['reasoning_content']) + textOf(content['reasoning']) !== '';
    if (!thinks || this.#isThinking) return [];
    this.#isThinking = true;
    return [{ type: 'status', text: 'thinks' }];
  }

  /** Gives what a person may be shown of it: a character that came in halves waits for its second one. */
  #add(piece: string): string {
    if (piece === '') return '';
    const whole = this.#half + piece;
    this.#half = /[\ud800-\udbff]$/.exec(whole)?.[0] ?? '';
    const text = withoutLoneHalves(whole.slice(0, whole.length - this.#half.length));
    this.#sizeBytes += Buffer.byteLength(text);
    if (this.#sizeBytes > this.#replyLimit) {
      throw new AgentError(
        'bad-reply',
        `the model’s reply is larger than ${this.#replyLimit} bytes (agent.reply_limit); the connection was closed`,
        true,
      );
    }
    // No store keeps it in a text: PostgreSQL refuses it, and C programs would see the reply end there.
    if (text.includes('\0')) throw new AgentError('bad-reply', 'the model’s reply has a NUL byte', true);
    this.#pieces.push(text);
    return text;
  }
}

/** Has U+FFFD for each surrogate that is no part of a pair. */
function withoutLoneHalves(text: string): string {
  return Buffer.from(text).toString();
}

const longestFact = 200;

function shortened(text: string): string {
  return withoutLoneHalves(text.replaceAll('\0', '')).slice(0, longestFact);
}

/** The text of a message's content: a text, or a list of parts, of which those of text count. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part) => tableOf(part)?.['text'])
    .filter((text) => typeof text === 'string')
    .join('');
}

function firstChoice(answer: Table): Table | null {
  const { choices } = answer;
  return Array.isArray(choices) ? tableOf(choices[0]) : null;
}

function parsed(text: string): Table {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    value = null;
  }
  const table = tableOf(value);
  if (table === null) {
    throw new BrokenAnswer(
      `the model’s server sent what is no JSON object: ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
  return table;
}
