import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface ChatMessage {
  readonly role: string;
  readonly content: unknown;
}

/** A chunk of an answer: its text, or a call of a tool. */
type Piece = string | { readonly tool: string; readonly input: object };

/**
 * A model behind the interface of chat completions, on loopback, that does what the last message of the person says, in
 * its last line: "say WORDS" answers them one by one; "slowly" never ends; "run COMMAND" calls a shell tool, and answers
 * with what that gave.
 */
export class MockModel {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  /** Texts of the messages of each request, joined. */
  readonly conversations: string[] = [];

  static async listen(): Promise<MockModel> {
    const model = new MockModel();
    model.#server.listen(0, '127.0.0.1');
    await once(model.#server, 'listening');
    return model;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { messages = [], stream = false } = JSON.parse(body || '{}') as {
      messages?: ChatMessage[];
      stream?: boolean;
    };
    const texts = messages.map(({ content }) => textOf(content));
    this.conversations.push(texts.join('\n'));
    const last = messages.at(-1);
    const asked = textOf(messages.findLast(({ role }) => role === 'user')?.content).trimEnd();
    const pieces = last?.role === 'tool' ? ['It gave: ', textOf(last.content)] : piecesOf(asked);
    if (stream) await streamed(response, pieces, asked.endsWith('slowly'));
    else whole(response, pieces);
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => String(part.text ?? '')).join('\n');
}

function piecesOf(asked: string): readonly Piece[] {
  const [, command, rest = ''] = /(?:^|\n)(say|run) ([^\n]*)$/.exec(asked) ?? [];
  if (command === 'run') {
    return [
      {
        tool: 'run_shell_command',
        input: { command: rest, description: 'as asked', is_background: false },
      },
    ];
  }
  return command === 'say' ? rest.split(/(?<= )/) : ['well'];
}

const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
const common = { id: 'chatcmpl-1', created: 0, model: 'mock' };

function whole(response: ServerResponse, pieces: readonly Piece[]): void {
  const content = pieces.filter((piece) => typeof piece === 'string').join('');
  const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...common, object: 'chat.completion', choices, usage }));
}

async function streamed(
  response: ServerResponse,
  pieces: readonly Piece[],
  isEndless: boolean,
): Promise<void> {
  response.setHeader('content-type', 'text/event-stream');
  const chunk = (delta: object, finish_reason: string | null = null) => {
    const choices = [{ index: 0, delta, finish_reason }];
    response.write(`data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices })}\n\n`);
  };
  chunk({ role: 'assistant', content: '' });
  while (isEndless && !response.destroyed) {
    chunk({ content: 'on ' });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  let finish = 'stop';
  for (const [index, piece] of pieces.entries()) {
    if (typeof piece === 'string') {
      chunk({ content: piece });
      continue;
    }
    finish = 'tool_calls';
    const call = { name: piece.tool, arguments: JSON.stringify(piece.input) };
    chunk({ tool_calls: [{ index: 0, id: `call_${index}`, type: 'function', function: call }] });
  }
  chunk({}, finish);
  const last = { ...common, object: 'chat.completion.chunk', choices: [], usage };
  response.end(`data: ${JSON.stringify(last)}\n\ndata: [DONE]\n\n`);
}
