import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chatCompletions } from './chat-completions.js';
import type { Dialect, ModelEvent, ModelRequest, Piece } from './dialect.js';
import { gemini } from './gemini.js';
import { messages } from './messages.js';
import { responses } from './responses.js';

/** By the end of the path. */
const dialects: readonly (readonly [RegExp, Dialect])[] = [
  [/\/chat\/completions$/, chatCompletions],
  [/\/responses$/, responses],
  [/\/messages$/, messages],
  [/:(streamG|g)enerateContent$/, gemini],
];

/**
 * A model on loopback, behind the interfaces of several vendors. It does what the last message of the person says, in
 * its last line of these: "say WORDS" answers them one by one; "run COMMAND" calls a shell tool, and answers with what that
 * gave; "go on" answers without an end as long as `isEndless`.
 */
export class MockModel {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  /** Texts of the messages of each request, joined. */
  readonly conversations: string[] = [];
  isEndless = true;

  static async listen(): Promise<MockModel> {
    const model = new MockModel();
    model.#server.listen(0, '127.0.0.1');
    await once(model.#server, 'listening');
    return model;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [path = ''] = (request.url ?? '').split('?');
    const [, dialect] = dialects.find(([end]) => end.test(path)) ?? [];
    if (dialect === undefined) {
      // A list of models, a count of tokens.
      writeJson(response, { data: [{ id: 'mock', object: 'model' }], input_tokens: 7, totalTokens: 7 });
      return;
    }
    const asked = dialect.read(path, JSON.parse(body || '{}'));
    this.conversations.push(asked.texts.join('\n'));
    const script = scriptOf(asked);
    if (asked.isStreamed) await this.#stream(response, dialect, script);
    else
      writeJson(response, dialect.whole(script.pieces.filter((piece) => typeof piece === 'string').join('')));
  }

  async #stream(response: ServerResponse, dialect: Dialect, { pieces, goesOn }: Script): Promise<void> {
    response.setHeader('content-type', 'text/event-stream');
    const write = (events: readonly ModelEvent[]) => {
      for (const { event, data } of events) {
        response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`);
      }
    };
    const events = dialect.events();
    write(events.begin());
    while (goesOn && this.isEndless && !response.destroyed) {
      write(events.text('on '));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const piece of pieces) write(typeof piece === 'string' ? events.text(piece) : events.use(piece));
    write(events.end());
    response.end(dialect.lastLine);
  }
}

function writeJson(response: ServerResponse, value: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

/** The shell tools of agents, with their arguments. */
const shellTools: { readonly [tool: string]: (command: string) => object } = {
  run_shell_command: (command) => ({ command, description: 'as asked', is_background: false }),
  Bash: (command) => ({ command, description: 'as asked' }),
  bash: (command) => ({ command, description: 'as asked' }),
  shell: (command) => ({ command: ['sh', '-c', command] }),
  shell_command: (command) => ({ command }),
  exec_command: (cmd) => ({ cmd }),
};

interface Script {
  readonly pieces: readonly Piece[];
  readonly goesOn: boolean;
}

function scriptOf({ asked, toolOutput, tools }: ModelRequest): Script {
  if (toolOutput !== null) return { pieces: ['It gave: ', toolOutput], goesOn: false };
  const line = asked.split('\n').findLast((each) => /^(?:say |run |go on$)/.test(each)) ?? '';
  const [word, rest] = [line.slice(0, 3), line.slice(4)];
  if (word === 'say') return { pieces: rest.split(/(?<= )/), goesOn: false };
  const tool = tools.find((name) => name in shellTools);
  // Requests without tools are for titles and the like.
  if (tool === undefined || line === '') return { pieces: ['well'], goesOn: false };
  if (word === 'run') return { pieces: [{ tool, input: shellTools[tool]?.(rest) ?? {} }], goesOn: false };
  return { pieces: ['well'], goesOn: true };
}
