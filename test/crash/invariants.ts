import type { Receipt, Record, StoredMessage, TurnEvent } from './record.js';

/** What must be true of the record of a run, whatever happened; a line for each thing that is not. */
export function violationsOf(record: Record): string[] {
  const { accepted, stored, turns, received } = record;
  return [
    ...Object.entries(accepted).flatMap(([session, count]) => lost(session, count, stored)),
    ...stored.flatMap(unanswered),
    ...turnsOutOfOrder(turns, stored),
    ...receivedWrongly(received, stored),
  ];
}

/** What was answered 202 is there, in the order in which it was sent. */
function lost(session: string, count: number, stored: readonly StoredMessage[]): string[] {
  const messages = stored.filter((message) => message.session === session);
  // One more may have been accepted whose answer nobody got to see.
  const found =
    messages.length < count || messages.length > count + 1
      ? [`${session}: ${count} messages were accepted, ${messages.length} are there`]
      : [];
  return [
    ...found,
    ...messages.flatMap(({ seq, text }, index) =>
      seq === index + 1 && text === `message ${index + 1} of ${session}`
        ? []
        : [`${session}: in the place of message ${index + 1} is number ${seq}, "${text}"`],
    ),
  ];
}

/** Each message has its own reply, and that was delivered. */
function unanswered({ session, seq, id, state, reply, error }: StoredMessage): string[] {
  const found =
    reply === `reply to ${id}` ? [] : [`${session} ${seq}: its reply is ${JSON.stringify(reply)}`];
  return state === 'delivered' ? found : [...found, `${session} ${seq}: it is ${state} (${error})`];
}

/** In a session one turn at a time, in the order of the messages, and none again once a later one has begun. */
function turnsOutOfOrder(turns: readonly TurnEvent[], stored: readonly StoredMessage[]): string[] {
  const places = new Map(stored.map(({ id, seq }) => [id, seq]));
  const reached = new Map<string, number>();
  const ended = new Set<string>();
  const found: string[] = [];
  for (const { kind, session, message } of turns) {
    const seq = places.get(message);
    const at = reached.get(session) ?? 0;
    if (kind === 'overlap') found.push(`${session}: message ${message} was run beside another one`);
    else if (seq === undefined) found.push(`${session}: message ${message} was run, and is not there`);
    else if (kind === 'end') ended.add(message);
    else {
      if (seq < at) found.push(`${session}: message ${seq} was run again after message ${at} had begun`);
      if (seq > at + 1) found.push(`${session}: message ${seq} was run next after message ${at}`);
      reached.set(session, Math.max(at, seq));
    }
  }
  for (const { session, seq, id } of stored) {
    if (!ended.has(id)) found.push(`${session} ${seq}: no turn of it ever ended`);
  }
  return found;
}

/** One key and one body for each reply; who goes by the key sees each once, in the order of its session. */
function receivedWrongly(received: readonly Receipt[], stored: readonly StoredMessage[]): string[] {
  const found: string[] = [];
  const bodies = new Map<string, string>();
  const keys = new Map<string, string>();
  const reached = new Map<string, number>();
  for (const { key, body } of received) {
    const known = bodies.get(key);
    if (known !== undefined) {
      if (known !== body) found.push(`${key}: it came with two bodies`);
      continue;
    }
    bodies.set(key, body);
    const { type, data } = JSON.parse(body) as Webhook;
    const { id, session, seq } = data;
    const at = reached.get(session) ?? 0;
    if (type !== 'message.replied') found.push(`${session} ${seq}: ${type} was received`);
    if (keys.has(id)) found.push(`${session} ${seq}: its reply came under two keys`);
    if (seq !== at + 1) found.push(`${session}: the reply to message ${seq} came after that to ${at}`);
    keys.set(id, key);
    reached.set(session, seq);
  }
  for (const { session, seq, id } of stored) {
    if (!keys.has(id)) found.push(`${session} ${seq}: its reply was never received`);
  }
  return found;
}

interface Webhook {
  readonly type: string;
  readonly data: { readonly id: string; readonly session: string; readonly seq: number };
}
