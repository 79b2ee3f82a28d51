import { hash } from 'node:crypto';
import { copiedStart, cutText } from '../text/copied-start.js';
import type { ChannelMessage, Person, Received } from './channel.js';

/** Longest text of a message, in characters: what a line of a channel's program may have. */
const longestText = 1_048_576;
const longestName = 1_024;
/** Longest id of a person or a message: those of mails are the longest. */
const longestId = 1_024;
const longestReason = 1_000;

/**
 * Bounds what is stored and shown of a message, whatever a channel's platform sends. The bounds are far above those of
 * honest platforms, so that no channel needs to know them.
 */
export function boundedMessage<Message extends ChannelMessage | Received>(message: Message): Message {
  const { text, id } = message;
  return {
    ...message,
    text: text.length <= longestText ? text : `${cutText(text, longestText)}\n[The text is cut.]`,
    id: id === null ? null : boundedId(id),
    ...('person' in message && { person: boundedPerson(message.person) }),
    ...('sender' in message && message.sender !== undefined && { sender: boundedId(message.sender) }),
    ...('setAside' in message &&
      message.setAside !== undefined && { setAside: cutText(message.setAside, longestReason) }),
    ...('defect' in message &&
      message.defect !== undefined && {
        defect: { ...message.defect, reason: cutText(message.defect.reason, longestReason) },
      }),
  };
}

function boundedPerson(person: Person | null): Person | null {
  if (person === null) return null;
  const { id, name } = person;
  return { id: boundedId(id), name: name === null ? null : cutText(name, longestName) };
}

/** Two ids stay two: the digest of a long one ends it. */
function boundedId(id: string): string {
  if (id.length <= longestId) return id;
  const digest = hash('sha256', id);
  return `${copiedStart(id, longestId - digest.length - 2)}~~${digest}`;
}
