import type { Socket } from 'node:net';
import type { Log, LogFields } from '../log/log.js';
import {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentFile,
  type AgentReply,
  type AgentRequest,
} from './agent.js';
import { connectToAgent } from './agent-socket.js';
import { fileFacts, jsonInput } from './command-input.js';
import { type CommandOutput, type OutputFile, type OutputReader, outputReader } from './command-output.js';
import { EventQueue } from './event-queue.js';
import { contentOf } from './placed-files.js';
import { readInTurns } from './read-in-turns.js';
import { ReplyFiles } from './reply-files.js';

export interface ConnectedCommandOptions {
  /** "unix:/PATH". */
  readonly connect: string;
  /** Longest time of a turn, in milliseconds. */
  readonly timeout: number;
  /** Time for the program to end once its input has, in milliseconds. */
  readonly killDelay: number;
  /** Largest reply, in bytes. */
  readonly replyLimit: number;
  readonly output: CommandOutput;
  readonly log: Log;
}

/**
 * A command that runs as another user: each turn has a connection, on which the service manager starts the program. It gets the
 * turn as one line of JSON and writes its reply, as a command does. There is no exit status: the end of its output is the end
 * of the turn, and none at all is a failure. The gateway closes its side only to end the program.
 */
export class ConnectedCommandAgent implements Agent {
  readonly type = 'command';

  constructor(private readonly options: ConnectedCommandOptions) {}

  run(request: AgentRequest, signal: AbortSignal): AsyncIterable<AgentEvent> {
    const events = new EventQueue();
    const emit = (event: AgentEvent) => events.push(event);
    this.#turn(request, signal, emit).then(
      (reply) => events.push({ type: 'end', reply }),
      (error: unknown) => events.fail(error),
    );
    return events;
  }

  async #turn(
    request: AgentRequest,
    signal: AbortSignal,
    emit: (event: AgentEvent) => void,
  ): Promise<AgentReply> {
    const input = jsonInput(request, await filesInline(request.files));
    const socket = await connectToAgent(this.options.connect, signal);
    emit({ type: 'started' });
    const files = new ReplyFiles(request, signal, (failure) => turn.fail(failure));
    const turn = new ConnectedTurn(this.options, socket, request, files, emit);
    return files.addTo(await turn.run(input, signal));
  }
}

/** One connection, from the first byte to its end. */
class ConnectedTurn {
  readonly #output: OutputReader;
  #bytes = 0;
  /** Why the turn fails whatever still comes. */
  #failure: AgentError | null = null;

  constructor(
    private readonly options: ConnectedCommandOptions,
    private readonly socket: Socket,
    private readonly request: AgentRequest,
    files: Pick<ReplyFiles, 'add'>,
    emit: (event: AgentEvent) => void,
  ) {
    const onFile = (file: OutputFile) => {
      if ('path' in file) this.fail(fileRefused(file.path));
      else files.add(file, () => [file.bytes], file.bytes.length);
    };
    this.#output = outputReader(options.output, options.replyLimit, emit, onFile, false);
  }

  async run(input: object, signal: AbortSignal): Promise<AgentReply> {
    const { socket, options } = this;
    const cancel = () =>
      this.fail(new AgentError('cancelled', 'the turn was cancelled and its command ended', true));
    const timer = setTimeout(
      () =>
        this.fail(
          new AgentError(
            'timeout',
            `the command did not end within ${options.timeout / 1_000} s (agent.timeout)`,
            true,
          ),
        ),
      options.timeout,
    );
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const ended = this.#read();
      socket.write(`${JSON.stringify(input)}\n`);
      if (signal.aborted) cancel();
      await ended;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
      socket.destroy();
    }
    const outcome = this.#failure ?? this.#outcome();
    if (outcome instanceof AgentError) throw outcome;
    return outcome;
  }

  /** Resolves at the end of the output: the other side is closed once nothing of the program is left. */
  #read(): Promise<void> {
    return new Promise((resolve) => {
      readInTurns(this.socket, (bytes) => {
        this.#bytes += bytes.length;
        const failure = this.#output.write(bytes);
        if (failure !== null) this.fail(failure);
        return bytes.length;
      });
      this.socket.once('end', resolve);
      // A program that has not read its turn ends the connection by an error, behind all that it wrote.
      this.socket.once('close', () => resolve());
    });
  }

  /** Ends the program by the end of its input; after `killDelay` by that of the connection. */
  fail(failure: AgentError): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    const { socket, options } = this;
    socket.end();
    setTimeout(() => {
      if (socket.destroyed) return;
      const { session, messageId } = this.request;
      const fields: LogFields = { SD_GATEWAY_SESSION: session, SD_GATEWAY_MESSAGE: messageId };
      options.log.warning(
        `The agent at ${options.connect} has not ended ${options.killDelay / 1_000} s after its turn was over; its connection is closed.`,
        fields,
      );
      socket.destroy();
    }, options.killDelay).unref();
  }

  #outcome(): AgentReply | AgentError {
    if (this.#bytes > 0) return this.#output.end();
    return new AgentError(
      'failed',
      `the agent at ${this.options.connect} closed the connection without an answer: see the journal of its unit`,
      true,
    );
  }
}

/** Content of files that a turn's line has at most, in bytes. */
const mostInlineBytes = 2 * 1024 ** 2;

/** The files of a message as members of its turn, in base64. A file that has no room is named only. */
async function filesInline(files: readonly AgentFile[]): Promise<readonly object[]> {
  const members: object[] = [];
  let leftBytes = mostInlineBytes;
  for (const file of files) {
    const facts = fileFacts(file);
    if (file.sizeBytes > leftBytes) {
      members.push(facts);
    } else {
      leftBytes -= file.sizeBytes;
      members.push({ ...facts, data: (await contentOf(file)).toString('base64') });
    }
  }
  return members;
}

/** Its path is one of the other user's. */
function fileRefused(path: string): AgentError {
  return new AgentError(
    'bad-reply',
    `the agent named a file for the reply (${path.slice(0, 200)}), which the gateway can't read where agent.connect is set: put its content into "data"`,
    true,
  );
}
