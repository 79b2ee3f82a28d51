import type { Attachment, Message, TokenUsage } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import { isUnsettled } from '../streams/long-polls.js';
import { replyAttachmentViews } from '../views.js';
import { noRetry, OpenAiError } from './errors.js';

/** The end of a run. */
export type Outcome =
  | {
      readonly type: 'reply';
      readonly text: string;
      readonly finish: 'stop' | 'length' | 'content_filter';
      readonly usage: TokenUsage | null;
      readonly files: ReturnType<typeof replyAttachmentViews>;
    }
  | { readonly type: 'dead' | 'cancelled'; readonly error: OpenAiError };

/** Reads how a message has ended: by its own turn, or by that of the message that it is part of. Null: it has not. */
export async function outcomeOf(message: Message, store: Pick<Store, 'message'>): Promise<Outcome | null> {
  if (isUnsettled(message)) return null;
  const { collectedIn } = message;
  const own = collectedIn === null ? message : ((await store.message(collectedIn.id)) ?? message);
  const { reply, state, error } = own;
  if (reply !== null) {
    return {
      type: 'reply',
      text: reply.text,
      finish: finishOf(reply.metadata['finish_reason']),
      usage: reply.usage ?? null,
      files: filesOf(own.id, reply.attachments),
    };
  }
  const isCancelled = state === 'cancelled';
  const reason = isCancelled
    ? 'The run was cancelled.'
    : `The run failed: ${error ?? 'its agent gave no reply'}`;
  return {
    type: isCancelled ? 'cancelled' : 'dead',
    // It is over: a further try would only be told the same.
    error: new OpenAiError(
      isCancelled ? 409 : 500,
      reason,
      {
        type: isCancelled ? 'invalid_request_error' : 'server_error',
        code: isCancelled ? 'run_cancelled' : 'run_failed',
      },
      noRetry,
    ),
  };
}

function filesOf(id: string, attachments: readonly Attachment[] | undefined) {
  return replyAttachmentViews(id, attachments);
}

function finishOf(reason: unknown): 'stop' | 'length' | 'content_filter' {
  return reason === 'length' || reason === 'content_filter' ? reason : 'stop';
}

/** The gateway stops: the run goes on with its next start, and the client may ask for it again. */
export function stopping(): OpenAiError {
  return new OpenAiError(
    503,
    'The gateway stops. The run is kept, and goes on with the next start: send the same request again.',
    { type: 'server_error', code: 'gateway_stopping' },
    { 'Retry-After': '1', 'x-should-retry': 'true' },
  );
}
