import type { Message } from '../../../store/messages.js';
import { tableOf } from '../../../store/records.js';
import type { TextPiece } from '../streams/live-text.js';
import { OpenAiError } from './errors.js';
import { idOf } from './ids.js';
import { type Outcome, stopping } from './outcome.js';
import type { RunEvents } from './run-stream.js';
import { SentText } from './sent-text.js';

type ReplyOutcome = Extract<Outcome, { readonly type: 'reply' }>;

/** The model that the request named. */
export function modelOf(message: Message): string {
  const { model } = tableOf(message.metadata['openai'] ?? null);
  return typeof model === 'string' ? model : 'default';
}

/** Facts of the gateway's own, which clients of OpenAI's API pass over. */
function ownFacts({ id, session }: Message, { files }: ReplyOutcome) {
  return { sd_gateway: { session, message: id, ...(files.length > 0 && { attachments: files }) } };
}

function usageOf({ usage }: ReplyOutcome) {
  if (usage === null) return null;
  const { inputTokens, outputTokens } = usage;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  };
}

/** An answer as a whole. */
export function chatCompletion(message: Message, outcome: ReplyOutcome) {
  const usage = usageOf(outcome);
  return {
    ...head(message, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: outcome.text, refusal: null },
        logprobs: null,
        finish_reason: outcome.finish,
      },
    ],
    ...(usage !== null && { usage }),
    ...ownFacts(message, outcome),
  };
}

function head(message: Message, object: 'chat.completion' | 'chat.completion.chunk') {
  return {
    id: idOf('chatcmpl', message.id),
    object,
    created: Math.floor(message.acceptedAt / 1_000),
    model: modelOf(message),
  };
}

/** Makes the chunks of an answer: unnamed events, since a name changes what clients read. */
export class ChatChunks implements RunEvents {
  /** A client can't come back to it, so that it is sent what was written just now. */
  readonly isResumable = false;
  readonly #message: Message;
  readonly #includesUsage: boolean;
  readonly #sent = new SentText();
  #isOver = false;

  constructor(message: Message, includesUsage: boolean) {
    this.#message = message;
    this.#includesUsage = includesUsage;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(): string {
    return this.#chunk({ role: 'assistant', content: '' }, null);
  }

  running(): string {
    return '';
  }

  piece({ text }: TextPiece): string {
    if (text === '') return this.#sent.length === 0 ? '' : this.#fail(runsAgain());
    this.#sent.add(text);
    return this.#chunk({ content: text }, null);
  }

  end(outcome: Outcome): string {
    if (outcome.type !== 'reply') return this.#fail(outcome.error);
    const rest = this.#sent.restOf(outcome.text) ?? `\n\n${outcome.text}`;
    this.#isOver = true;
    const usage = usageOf(outcome);
    return [
      rest === '' ? '' : this.#chunk({ content: rest }, null),
      this.#chunk({}, outcome.finish, ownFacts(this.#message, outcome)),
      this.#includesUsage ? event({ ...this.#head(), choices: [], usage }) : '',
      'data: [DONE]\n\n',
    ].join('');
  }

  breakOff(reason: 'stop' | 'gone'): string {
    return this.#fail(reason === 'stop' ? stopping() : gone());
  }

  /** Nothing follows an error, not even the mark of the end, so that no client takes the answer for whole. */
  #fail({ facts }: OpenAiError): string {
    this.#isOver = true;
    return event({ error: facts });
  }

  #chunk(delta: object, finish: ReplyOutcome['finish'] | null, facts: object = {}): string {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    const usage = this.#includesUsage ? { usage: null } : {};
    return event({ ...this.#head(), choices: [choice], ...usage, ...facts });
  }

  #head() {
    return head(this.#message, 'chat.completion.chunk');
  }
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function runsAgain(): OpenAiError {
  return new OpenAiError(
    500,
    'The turn was cut off and runs again, so that the text so far is void. Its answer will be in the session.',
    { type: 'server_error', code: 'run_restarted' },
  );
}

export function gone(): OpenAiError {
  return new OpenAiError(404, 'The session of the run was deleted.', { code: 'run_deleted' });
}
