import { type Kind, kindOf } from '../kinds.js';
import type { Record, StoredMessage } from '../record.js';

/** Besides "delivered": how a message of such a session may end. */
const otherEnds: Readonly<{ [kind in Kind]: readonly string[] }> = {
  client: [],
  cancel: ['cancelled'],
  collect: ['collected', 'cancelled'],
  interrupt: ['cancelled'],
  once: ['dead'],
  acp: ['cancelled'],
  openai: ['cancelled'],
  http: ['cancelled'],
  hook: [],
  reconcile: [],
  idempotent: [],
  resend: [],
  ask: ['dead'],
  telegram: [],
  slack: [],
  discord: [],
  imap: [],
  lmtp: [],
};

/** Each message has come to its end: with its own reply, delivered, or without where its session's kind allows that. */
export function ends({ stored }: Pick<Record, 'stored'>): string[] {
  const messages = new Map(stored.map((message) => [message.id, message]));
  return stored.flatMap((message) => {
    const { session, seq, state, error } = message;
    const reply = replyOf(messages.get(message.collectedIn ?? '') ?? message);
    const found =
      message.reply === reply ? [] : [`${session} ${seq}: its reply is ${JSON.stringify(message.reply)}`];
    const kind = kindOf(session);
    if (state !== 'delivered' && !otherEnds[kind].includes(state)) {
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

/** Set aside, as nobody knows whether its reply arrived (`delivery.unknown` is "ask"). */
export function isSetAside({ state, error, unknown }: StoredMessage): boolean {
  return (
    state === 'dead' && unknown > 0 && /the outcome of attempt \d+ is unknown.*set aside/.test(error ?? '')
  );
}

/** @param turn the message whose turn it was */
function replyOf({ state, session, id, text }: StoredMessage): string | null {
  // A server of chat completions does not know the message's id.
  return state === 'cancelled' ? null : `reply to ${kindOf(session) === 'openai' ? text : id}`;
}
