import { groupBy } from '../group-by.js';
import { type ChannelKind, isChannel, kindOf, unknownPolicyOf } from '../kinds.js';
import type { Record, StoredMessage } from '../record.js';
import { isSetAside } from './ends.js';

type Seen = Pick<Record, 'shown' | 'stored'>;

/**
 * By a channel each reply comes once, in the order of its session, but for what docs/channels/README.md says is in doubt. It may
 * come twice if one of its sends was, and `unknown` is "resend".
 */
export function channels({ shown, stored }: Seen): string[] {
  const found: string[] = [];
  const ids = new Map(stored.map((message) => [`${message.session} reply to ${message.id}`, message]));
  const counts = new Map<StoredMessage, number>();
  const reached = new Map<string, number>();
  for (const { session, text } of shown) {
    const message = ids.get(`${session} ${text}`);
    if (message === undefined) {
      found.push(`${session}: people were shown ${JSON.stringify(text)}`);
      continue;
    }
    const at = reached.get(session) ?? 0;
    const { seq } = message;
    if (seq < at) found.push(`${session}: the reply to message ${seq} was shown after that to ${at}`);
    reached.set(session, Math.max(at, seq));
    counts.set(message, (counts.get(message) ?? 0) + 1);
  }
  for (const message of channelMessages(stored)) {
    const { session, seq, unknown, kind } = message;
    const count = counts.get(message.stored) ?? 0;
    if (count === 0 && !isSetAside(message.stored))
      found.push(`${session} ${seq}: its reply was never shown`);
    if (count > 1 && unknownPolicyOf(kind) !== 'resend')
      found.push(`${session} ${seq}: its reply was shown ${count} times`);
    else if (count > unknown + 1) {
      found.push(`${session} ${seq}: its reply was shown ${count} times, and ${unknown} sends were in doubt`);
    }
  }
  return found;
}

export interface ChannelSummary {
  readonly messages: number;
  /** Replies that came more than once, and those that were set aside or dropped as one of their sends was in doubt. */
  readonly doubled: number;
  readonly setAside: number;
  /** Sends of which nobody knew whether they had arrived. */
  readonly inDoubt: number;
}

/** Sums up each channel that was used. */
export function summedUp({ shown, stored }: Seen): ReadonlyMap<ChannelKind, ChannelSummary> {
  const texts = groupBy(shown, ({ session, text }) => `${session} ${text}`);
  return new Map(
    [...groupBy(channelMessages(stored), ({ kind }) => kind)].map(([kind, messages]) => [
      kind,
      {
        messages: messages.length,
        doubled: messages.filter(
          ({ session, stored: { id } }) => (texts.get(`${session} reply to ${id}`)?.length ?? 0) > 1,
        ).length,
        setAside: messages.filter((message) => isSetAside(message.stored)).length,
        inDoubt: messages.reduce((sum, { unknown }) => sum + unknown, 0),
      },
    ]),
  );
}

function channelMessages(stored: readonly StoredMessage[]) {
  return stored.flatMap((message) => {
    const kind = kindOf(message.session);
    const { session, seq, unknown } = message;
    return isChannel(kind) ? [{ stored: message, session, seq, unknown, kind }] : [];
  });
}
