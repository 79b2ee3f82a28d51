import type { AgentFile, AgentRequest } from './agent.js';
import type { PlacedFile } from './placed-files.js';

/** The form of a command's standard input. */
export type CommandInput = 'json' | 'text';

/**
 * The input of a command, on its standard input. As text, a message of files alone is the places of their copies.
 *
 * @param files its copies of the request's files
 */
export function inputText(request: AgentRequest, files: readonly PlacedFile[], form: CommandInput): string {
  const attachments = files.map((file) => ({ ...fileFacts(file), file: file.location }));
  if (form === 'json') return `${JSON.stringify(jsonInput(request, attachments))}\n`;
  return `${request.text || files.map(({ location }) => location).join('\n')}\n`;
}

/** A file of a message for agents in other programs, but for the place where it is. */
export function fileFacts({ name, mediaType, sizeBytes, sha256 }: AgentFile) {
  return { name, media_type: mediaType, size: sizeBytes, sha256 };
}

/** The facts of a turn, for agents in other programs. */
export function jsonInput(request: AgentRequest, attachments: readonly object[]): object {
  return {
    id: request.messageId,
    session: request.session,
    generation: request.generation,
    seq: request.seq,
    attempt: request.attempt,
    put_backs: request.putBacks,
    turn_id: request.turnId,
    text: request.text,
    metadata: request.metadata,
    sender: request.sender,
    ...(attachments.length > 0 && { attachments }),
    ...(request.collected.length > 0 && {
      collected: request.collected.map(({ messageId, seq, text, metadata, sender }) => ({
        id: messageId,
        seq,
        text,
        metadata,
        sender,
      })),
    }),
  };
}

const words: Readonly<Record<string, (request: AgentRequest) => string>> = {
  '{session}': ({ session }) => session,
  '{generation}': ({ generation }) => String(generation),
  '{message}': ({ messageId }) => messageId,
  '{turn}': ({ turnId }) => turnId,
  '{seq}': ({ seq }) => String(seq),
  '{attempt}': ({ attempt }) => String(attempt),
  '{sender}': ({ sender }) => sender?.id ?? '',
  '{text}': ({ text }) => text,
};

/** Puts the values of a turn in the place of words such as "{session}". A word that only holds one stays as it is. */
export function turnArguments(template: readonly string[], request: AgentRequest): readonly string[] {
  return template.map((word) => (Object.hasOwn(words, word) ? (words[word]?.(request) ?? word) : word));
}
