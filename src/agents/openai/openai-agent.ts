import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../log/log.js';
import { type Agent, AgentError, type AgentEvent, type AgentRequest } from '../agent.js';
import { mediaTypeOf } from '../http-client.js';
import { instructionsOf } from '../instructions.js';
import { EventStreamError, EventStreamParser } from '../server-sent-events.js';
import { ChatAnswer } from './chat-answer.js';
import { chatMessages, type HistoryBudget, turnsInBudget } from './chat-messages.js';
import { fileParts } from './file-parts.js';
import { ask, type ServerRequest, streamOf, unexpectedType, wholeOf } from './model-server.js';
import { modelsText, readModels } from './models.js';
import { type KeySettings, readKey, readSmallFile } from './settings-files.js';
import {
  BrokenAnswer,
  NotFound,
  type PassingFailure,
  retryDelayMs,
  ServerAway,
  turnFailure,
} from './verdict.js';

export interface OpenAiAgentOptions extends KeySettings {
  /** Without a slash at its end, such as "http://127.0.0.1:11434/v1". */
  readonly baseUrl: string;
  readonly model: string;
  /** The file with the system's text; null: there is none. */
  readonly systemFile: string | null;
  readonly history: HistoryBudget;
  /** Files of a message that are sent along, in bytes. */
  readonly attachmentBytes: number;
  /** Further fields of each request. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Longest time of a turn, in milliseconds. */
  readonly timeout: number;
  /** Largest reply, in bytes. */
  readonly replyLimit: number;
  /** The gateway's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Wait before the second try of a turn. Default: half a second. */
  readonly firstDelayMs?: number;
}

/** Has a server of chat completions make the replies, as OpenAI, Ollama, llama.cpp, vLLM and others offer it. */
export class OpenAiAgent implements Agent {
  readonly type = 'openai';
  readonly #options: OpenAiAgentOptions;

  constructor(options: OpenAiAgentOptions) {
    this.#options = options;
  }

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    const { timeout, firstDelayMs = 500, log } = this.#options;
    const deadline = performance.now() + timeout;
    const failures: PassingFailure[] = [];
    for (;;) {
      let hasText = false;
      try {
        for await (const event of this.#try(request, signal)) {
          hasText ||= event.type === 'delta';
          yield event;
        }
        return;
      } catch (error) {
        if (signal.aborted) throw cancelled();
        if (!(error instanceof ServerAway || error instanceof BrokenAnswer)) throw error;
        failures.push(error);
        const times = { firstDelayMs, leftMs: deadline - performance.now(), random: Math.random };
        const delayMs = hasText ? null : retryDelayMs(failures.length, error, times);
        if (delayMs === null) throw turnFailure(failures);
        log.notice(`${sentence(error.message)} It is asked again in ${Math.round(delayMs)} ms.`, {
          SD_GATEWAY_SESSION: request.session,
          SD_GATEWAY_MESSAGE: request.messageId,
        });
        await sleep(delayMs, undefined, { signal }).catch(() => {
          throw cancelled();
        });
      }
    }
  }

  async *#try(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    signal.throwIfAborted();
    const { replyLimit } = this.#options;
    const key = readKey(this.#options, this.#options.environment);
    const body = JSON.stringify(await this.#body(request));
    const answer = await this.#ask({ key, body, traceparent: request.traceparent ?? null, signal });
    const chat = new ChatAnswer(replyLimit);
    const limitBytes = answerLimitBytes(replyLimit);
    const type = mediaTypeOf(answer);
    if (type === 'text/event-stream' || type === '') {
      yield { type: 'started' };
      const parser = new EventStreamParser(limitBytes);
      for await (const chunk of streamOf(answer, signal)) {
        yield* eventsOf(parser, chunk, chat);
        if (chat.isDone) break;
      }
    } else if (/^application\/(?:[\w.+-]+\+)?json$/.test(type)) {
      yield { type: 'started' };
      yield* chat.takeWhole(await wholeOf(answer, limitBytes, signal));
    } else {
      answer.destroy();
      throw unexpectedType(answer);
    }
    yield* chat.end();
  }

  async #body(request: AgentRequest): Promise<object> {
    const { model, systemFile, history: budget, attachmentBytes, parameters } = this.#options;
    const system = systemFile === null ? null : readSmallFile(systemFile, 'agent.system_file').trim();
    const turns = turnsInBudget(budget);
    const earlier = turns === 0 ? [] : await request.history(turns);
    const files = await fileParts(request.files, attachmentBytes);
    return {
      model,
      messages: chatMessages(
        system === '' ? null : system,
        earlier,
        request.text,
        budget,
        files,
        instructionsOf(request),
      ),
      stream: true,
      // Servers refuse it without a stream.
      ...(parameters['stream'] !== false && { stream_options: { include_usage: true } }),
      ...parameters,
    };
  }

  /** Names the models that would do, if the server has not the one that is asked for. */
  async #ask(request: Omit<ServerRequest, 'url'>): Promise<IncomingMessage> {
    const { key, signal } = request;
    try {
      return await ask({ url: this.#url('/chat/completions'), ...request });
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
      const models = await readModels(this.#url('/models'), key, signal).catch(() => null);
      signal.throwIfAborted();
      if (models === null) throw error;
      throw new AgentError(error.reason, `${error.message}; ${modelsText(models)}`, error.retry);
    }
  }

  #url(path: string): URL {
    return new URL(this.#options.baseUrl + path);
  }
}

/** JSON may take six bytes for each of a text, and servers add facts of their own. */
function answerLimitBytes(replyLimit: number): number {
  return replyLimit * 6 + 256 * 1_024;
}

function* eventsOf(parser: EventStreamParser, chunk: Buffer, chat: ChatAnswer): Generator<AgentEvent> {
  try {
    for (const { data } of parser.push(chunk)) {
      yield* chat.takeEvent(data);
      if (chat.isDone) return;
    }
  } catch (error) {
    if (!(error instanceof EventStreamError)) throw error;
    throw new BrokenAnswer(`the stream of the model’s server ${error.message}`, null, { cause: error });
  }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function cancelled(): AgentError {
  return new AgentError('cancelled', 'the turn was cancelled and its connection closed', true);
}
