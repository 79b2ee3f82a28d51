import type { JsonValue, Message } from '../../../store/messages.js';
import { tableOf } from '../../../store/records.js';
import { modelOf } from './chat-completion.js';
import { idOf } from './ids.js';
import type { Outcome } from './outcome.js';

/** A response as OpenAI's API shows it. */

export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled';

/** The progress of a response. `restarts`: the text began anew so often. */
export interface ResponseState {
  readonly status: ResponseStatus;
  readonly outcome: Outcome | null;
  readonly restarts: number;
}

export function statusOf(message: Message, outcome: Outcome | null): ResponseStatus {
  if (outcome === null)
    return (message.collectedIn?.state ?? message.state) === 'queued' ? 'queued' : 'in_progress';
  if (outcome.type !== 'reply') return outcome.type === 'dead' ? 'failed' : 'cancelled';
  return outcome.finish === 'stop' ? 'completed' : 'incomplete';
}

export function responseView(message: Message, { status, outcome, restarts }: ResponseState) {
  const facts = factsOf(message);
  const reply = outcome?.type === 'reply' ? outcome : null;
  const failure = outcome?.type === 'dead' ? outcome.error.facts : null;
  const reason = reply?.finish === 'length' ? 'max_output_tokens' : 'content_filter';
  return {
    id: idOf('resp', message.id),
    object: 'response',
    created_at: Math.floor(message.acceptedAt / 1_000),
    status,
    background: facts['background'] === true,
    completed_at: status === 'completed' ? Math.floor(message.changedAt / 1_000) : null,
    error: failure === null ? null : { code: 'server_error', message: failure.message },
    incomplete_details: status === 'incomplete' ? { reason } : null,
    instructions: facts['instructions'] ?? null,
    max_output_tokens: null,
    model: modelOf(message),
    output: reply === null ? [] : [itemView(message, restarts, reply.text, 'completed')],
    parallel_tool_calls: true,
    previous_response_id: facts['previous_response_id'] ?? null,
    conversation: typeof facts['conversation'] === 'string' ? { id: facts['conversation'] } : null,
    store: true,
    temperature: numberIn(facts['parameters'], 'temperature'),
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: numberIn(facts['parameters'], 'top_p'),
    truncation: 'disabled',
    ...(reply?.usage && { usage: usageView(reply.usage.inputTokens, reply.usage.outputTokens) }),
    ...(typeof facts['user'] === 'string' && { user: facts['user'] }),
    metadata: facts['metadata'] ?? {},
    sd_gateway: {
      session: message.session,
      message: message.id,
      ...(reply !== null && reply.files.length > 0 && { attachments: reply.files }),
    },
  };
}

/** The answer, as far as it has come. Each beginning of it is an item of its own. */
export function itemView(
  message: Message,
  restarts: number,
  text: string | null,
  status: 'in_progress' | 'completed' | 'incomplete',
) {
  return {
    id: itemId(message, restarts),
    type: 'message',
    role: 'assistant',
    status,
    content: text === null ? [] : [partView(text)],
  };
}

export function itemId({ id }: Message, restarts: number): string {
  const item = idOf('msg', id);
  return restarts === 0 ? item : `${item}_${restarts}`;
}

export function partView(text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function usageView(input: number, output: number) {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}

/** Facts that are kept of the request. */
export function factsOf({ metadata }: Message): Readonly<Record<string, JsonValue>> {
  return tableOf(metadata['openai'] ?? null);
}

function numberIn(table: JsonValue | undefined, name: string): number | null {
  const value = tableOf(table ?? null)[name];
  return typeof value === 'number' ? value : null;
}
