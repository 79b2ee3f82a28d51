import { type ClientKind, isChannel, type Kind, kindOf, unknownPolicyOf } from '../kinds.js';
import type { Record, StoredMessage } from '../record.js';

/** Besides "delivered": how a message of such a session may end. */
const otherEnds: Readonly<{ [kind in ClientKind]: readonly string[] }> = {
  client: [],
  cancel: ['cancelled'],
  collect: ['collected', 'cancelled'],
  interrupt: ['cancelled'],
  once: ['dead'],
  acp: ['cancelled'],
  openai: ['cancelled'],
  http: ['cancelled'],
  hook: [],
};

/** By a channel, a reply is set aside or dropped where its `unknown` says so. */
function otherEndsOf(kind: Kind): readonly string[] {
  if (!isChannel(kind)) return otherEnds[kind];
  const policy = unknownPolicyOf(kind);
  return policy === 'ask' || policy === 'drop' ? ['dead'] : [];
}

/** Each message has come to its end: with its own reply, delivered, or without where its session's kind allows that. */
export function ends({ stored }: Pick<Record, 'stored'>): string[] {
  const messages = new Map(stored.map((message) => [message.id, message]));
  return stored.flatMap((message) => {
    const { session, seq, state, error } = message;
    const reply = replyOf(messages.get(message.collectedIn ?? '') ?? message);
    const found =
      message.reply === reply ? [] : [`${session} ${seq}: its reply is ${JSON.stringify(message.reply)}`];
    const kind = kindOf(session);
    if (state !== 'delivered' && !otherEndsOf(kind).includes(state)) {
      found.push(`${session} ${seq}: it is ${state} (${error})`);
    }
    if (state === 'dead' && !isSetAside(message)) {
      found.push(`${session} ${seq}: it is dead, and nothing about it was unknown (${error})`);
    }
    if (kind === 'interrupt' && state === 'cancelled') {
      const by = messages.get(/^Interrupted by the message (\S+)\.$/.exec(error ?? '')?.[1] ?? '');
      if (by?.session !== session || by.seq <= seq) {
        found.push(`${session} ${seq}: it is cancelled, and no later message interrupted it (${error})`);
      }
    }
    return found;
  });
}

/** Set aside or dropped, as nobody knows whether its reply arrived. The record names the setting that says so. */
export function isSetAside({ session, state, error, unknown }: StoredMessage): boolean {
  if (state !== 'dead' || unknown === 0) return false;
  const kind = kindOf(session);
  const [policy, setting] = isChannel(kind)
    ? [unknownPolicyOf(kind), `channels.${kind}.unknown`]
    : ['ask', 'delivery.unknown'];
  const then = policy === 'ask' ? 'set aside for a person' : 'not sent again';
  return (
    new RegExp(`the outcome of attempt \\d+ is unknown.*${then}.*\\(${setting} is "${policy}"\\)`).test(
      error ?? '',
    ) ||
    // A channel that could not ask its platform.
    new RegExp(`may have arrived.*not sent again \\(${setting}: it is "${policy}"\\)`).test(error ?? '')
  );
}

/** @param turn the message whose turn it was */
function replyOf({ state, session, id, text }: StoredMessage): string | null {
  // A server of chat completions does not know the message's id.
  return state === 'cancelled' ? null : `reply to ${kindOf(session) === 'openai' ? text : id}`;
}
