import type { Attachment, Message, Page, SessionSummary } from '../../store/messages.js';
import type { AskedQuestion } from '../surroundings.js';
import type { AttachmentView, MessageView, QuestionView, SessionView } from './openapi/views.js';
import { bounds, pageQuery } from './request-schema.js';
import { validateQuery } from './validate.js';

/** A message as the HTTP interface shows it (docs/http.md). */
export function messageView(message: Message): MessageView {
  const { reply, delivery } = message;
  return {
    id: message.id,
    session: message.session,
    seq: message.seq,
    state: message.state,
    waiting_for: message.waitingFor,
    text: message.text,
    metadata: message.metadata,
    sender: message.sender,
    accepted_at: time(message.acceptedAt),
    changed_at: time(message.changedAt),
    attempts: message.attempts,
    attachments: attachmentViews(message.attachments, `/v1/messages/${message.id}/attachments`),
    reply:
      reply === null
        ? null
        : {
            text: reply.text,
            metadata: reply.metadata,
            attachments: replyAttachmentViews(message.id, reply.attachments),
            at: time(reply.at),
            usage:
              reply.usage === undefined
                ? null
                : { input_tokens: reply.usage.inputTokens, output_tokens: reply.usage.outputTokens },
          },
    delivery:
      delivery === null
        ? null
        : {
            kind: delivery.kind,
            webhook_id: delivery.webhookId,
            attempts: delivery.attempts,
            next_attempt_at: timeOrNull(delivery.nextAttemptAt),
            delivered_at: timeOrNull(delivery.deliveredAt),
            last_error: delivery.lastError,
            unknown: delivery.unknown,
          },
    error: message.error,
    collected_in: message.collectedIn?.id ?? null,
  };
}

/** Files of a reply, each with the path of its download. */
export function replyAttachmentViews(
  messageId: string,
  attachments: readonly Attachment[] | undefined,
): readonly AttachmentView[] {
  return attachmentViews(attachments, `/v1/messages/${messageId}/reply/attachments`);
}

function attachmentViews(attachments: readonly Attachment[] = [], path: string): readonly AttachmentView[] {
  return attachments.map(({ name, mediaType, sizeBytes, sha256 }, index) => ({
    name,
    media_type: mediaType,
    size: sizeBytes,
    sha256,
    path: `${path}/${index + 1}`,
  }));
}

export function sessionView(summary: SessionSummary): SessionView {
  return {
    session: summary.session,
    last_seq: summary.lastSeq,
    waiting: summary.waiting,
    running: summary.running,
    last_accepted_at: time(summary.lastAcceptedAt),
    policy: summary.policy,
    agent: summary.agent,
    generation: summary.generation,
  };
}

/** The page that a request asks for. */
export function pageOf(query: unknown) {
  const { limit, after } = validateQuery(pageQuery, query);
  return { limit: limit ?? bounds.pageLimitDefault, after: after ?? null };
}

/** A question of an agent (docs/http.md). */
export function questionView(question: AskedQuestion): QuestionView {
  return {
    code: question.code,
    state: question.state,
    session: question.session,
    message: question.messageId,
    attempt: question.attempt,
    agent: question.agent,
    kind: question.kind,
    title: question.title,
    input: question.input,
    input_cut: question.inputIsCut,
    options: question.options,
    asked_at: time(question.askedAt),
    expires_at: time(question.expiresAt),
  };
}

export function pageView<Item, View>(page: Page<Item>, view: (item: Item) => View) {
  return { items: page.items.map(view), next: page.next };
}

/** RFC 3339, in UTC with milliseconds. */
export function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function timeOrNull(milliseconds: number | null): string | null {
  return milliseconds === null ? null : time(milliseconds);
}
