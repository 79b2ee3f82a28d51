import type { IncomingMessage } from 'node:http';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentReply,
  type AgentRequest,
  CutOffError,
} from '../agent.js';
import { bodyOf, ExchangeError, errorTextOf, mediaTypeOf, send, textOf } from '../http-client.js';
import { ReplyFiles } from '../reply-files.js';
import { EventStreamError, EventStreamParser } from '../server-sent-events.js';
import { TurnAnswer } from './turn-answer.js';
import { turnBody } from './turn-body.js';
import type { TurnCallbacks } from './turn-callbacks.js';
import { statusError } from './verdict.js';

/** Signs a body as Standard Webhooks has it; gives the headers. */
export type SignBody = (id: string, body: string) => Readonly<Record<string, string>>;

export interface HttpAgentOptions {
  readonly url: string;
  /** Longest time of a turn, in milliseconds. A late reply has to come within it. */
  readonly timeout: number;
  /** Largest reply, in bytes. */
  readonly replyLimit: number;
  readonly sign: SignBody;
  readonly callbacks: TurnCallbacks;
  readonly log: Log;
}

/** The header with the attempt's token, for a reply that comes later. */
export const replyTokenHeader = 'sd-gateway-reply-token';

/** Posts each turn to a URL. The reply comes at once, as a stream of events, or later (docs/http-agent.md). */
export class HttpAgent implements Agent {
  readonly type = 'http';
  readonly #options: HttpAgentOptions;

  constructor(options: HttpAgentOptions) {
    this.#options = options;
  }

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    const { callbacks, timeout } = this.#options;
    const { turnId } = request;
    try {
      signal.throwIfAborted();
      const outcome = (await callbacks.isOpen(turnId)) ? 'later' : yield* this.#post(request, signal);
      if (outcome !== 'later') {
        await this.#end(request);
        yield { type: 'end', reply: outcome };
        return;
      }
      yield { type: 'waits', reason: 'callback' };
      const reply = await callbacks.reply(turnId, signal);
      if (reply === null) {
        throw new AgentError(
          'timeout',
          `the agent said that it replies later, and did not within ${timeout / 1_000} s (agent.timeout)`,
          true,
        );
      }
      yield { type: 'end', reply };
    } catch (error) {
      const { reason } = signal;
      // The next start, or another gateway, goes on with it.
      const goesOn = reason instanceof CutOffError && (reason.by === 'drain' || reason.by === 'claim-lost');
      if (!signal.aborted || !goesOn) await this.#end(request);
      if (signal.aborted) throw new AgentError('cancelled', 'the turn was cancelled', true, { cause: error });
      throw error;
    }
  }

  async *#post(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent, AgentReply | 'later'> {
    const { callbacks, timeout, replyLimit } = this.#options;
    const token = await callbacks.begin(request.turnId, timeout, replyLimit);
    const answer = await this.#send(request, token, signal);
    yield { type: 'started' };
    if (answer.statusCode === 202) {
      answer.destroy();
      await callbacks.accepted(request.turnId);
      return 'later';
    }
    try {
      const files = new ReplyFiles(request, signal);
      const turn = new TurnAnswer(replyLimit, files);
      return await files.addTo(yield* replyOf(answer, turn, replyLimit, signal));
    } catch (error) {
      if (error instanceof EventStreamError) {
        throw new AgentError('bad-reply', `the agent’s stream ${error.message}`, true, { cause: error });
      }
      if (!(error instanceof ExchangeError)) throw error;
      const message = `the connection to the agent broke within its answer: ${error.message}`;
      throw new AgentError('failed', message, true, { cause: error });
    }
  }

  async #send(request: AgentRequest, token: string, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(this.#options.url);
    const body = turnBody(request, Date.now());
    const { turnId, attempt, putBacks, traceparent = null } = request;
    let answer: IncomingMessage;
    try {
      answer = await send({
        method: 'POST',
        url,
        headers: {
          accept: 'application/json, text/event-stream, text/plain',
          ...this.#options.sign(`${turnId}_${attempt}_${putBacks}`, body),
          [replyTokenHeader]: token,
          ...(traceparent !== null && { traceparent }),
        },
        body,
        signal,
      });
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      throw error.isConnected
        ? new AgentError('failed', `the agent at ${url.origin} gave no answer: ${error.message}`, true)
        : new AgentError(
            'unavailable',
            `the agent at ${url.origin} can’t be reached: ${error.message}`,
            true,
          );
    }
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status <= 299) return answer;
    throw statusError(status, answer.headers, await errorTextOf(answer, signal));
  }

  /** A late reply is taken no more. */
  async #end({ turnId, session, messageId }: AgentRequest): Promise<void> {
    try {
      await this.#options.callbacks.end(turnId);
    } catch (error) {
      // The turn has its outcome.
      this.#options.log.warning(
        `The store did not note that an attempt has ended, whose reply may still be taken: ${errorMessage(error)}`,
        { SD_GATEWAY_SESSION: session, SD_GATEWAY_MESSAGE: messageId },
      );
    }
  }
}

/** The reply in an answer of 200 or the like, whole or as a stream. */
async function* replyOf(
  answer: IncomingMessage,
  turn: TurnAnswer,
  replyLimit: number,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, AgentReply> {
  const type = mediaTypeOf(answer);
  // JSON may take six bytes for each of a text.
  const limitBytes = replyLimit * 6 + 256 * 1_024;
  if (type === 'text/event-stream') {
    const parser = new EventStreamParser(limitBytes);
    for await (const chunk of bodyOf(answer, signal)) {
      for (const each of parser.push(chunk)) {
        const event = turn.takeEvent(each);
        if (event?.type === 'end') return event.reply;
        if (event !== null) yield event;
      }
    }
    throw new AgentError('failed', 'the agent’s stream ended without its reply', true);
  }
  const isJson = /^application\/(?:[\w.+-]+\+)?json$/.test(type);
  if (
    !isJson &&
    type !== 'text/plain' &&
    answer.statusCode !== 204 &&
    answer.headers['content-length'] !== '0'
  ) {
    answer.destroy();
    throw new AgentError(
      'bad-reply',
      `the agent answered with the content type ${JSON.stringify(type.slice(0, 100))}, not JSON, text/plain or a stream of events`,
      true,
    );
  }
  const text = await textOf(answer, limitBytes, signal);
  if (text === null) {
    throw new AgentError('bad-reply', `the agent’s answer is larger than ${limitBytes} bytes`, true);
  }
  return isJson ? turn.takeJson(text) : turn.takeText(text);
}
