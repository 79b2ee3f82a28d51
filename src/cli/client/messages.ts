import { nearest } from '../../config/nearest.js';
import { commandStatus } from '../command.js';
import { jsonLine, printable } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { askGateway, refused } from './access.js';
import type { GatewayAnswer, GatewayClient } from './http.js';

const actions = ['list', 'show', 'retry', 'discard'] as const;
type Action = (typeof actions)[number];

const done: Readonly<Record<'retry' | 'discard', string>> = {
  retry: 'Tried again:',
  discard: 'Discarded',
};

interface DeadMessage {
  readonly id: string;
  readonly session: string;
  readonly changed_at: string;
  readonly error: string | null;
}

/** The gateway did not do it; on 401 another token may be its own. */
class Refused extends Error {
  constructor(
    readonly answer: GatewayAnswer,
    readonly what: string,
  ) {
    super(what);
  }
}

function actionOf({ command, operands: [word = 'list'] }: ParsedCommand): Action {
  const action = actions.find((candidate) => candidate === word);
  if (action !== undefined) return action;
  const meant = nearest(word, actions);
  const hint = meant === null ? `it is one of ${actions.join(', ')}` : `did you mean "${meant}"?`;
  throw new UsageError(`unknown action "${word}"; ${hint}`, command.name);
}

async function* deadMessages(client: GatewayClient): AsyncGenerator<DeadMessage> {
  let after: string | null = null;
  do {
    const cursor: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const answer = await client.get(`/v1/dead?limit=1000${cursor}`);
    if (answer.status !== 200) throw new Refused(answer, 'to list dead messages');
    yield* (answer.body?.['items'] ?? []) as readonly DeadMessage[];
    after = answer.body?.['next'] as string | null;
  } while (after !== null);
}

async function list(client: GatewayClient, json: boolean): Promise<number> {
  let count = 0;
  for await (const message of deadMessages(client)) {
    count += 1;
    const { id, session, changed_at, error } = message;
    const [reason = ''] = (error ?? '').split('\n');
    process.stdout.write(
      json ? jsonLine(message) : `${printable(`${id}  ${changed_at}  ${session}  ${reason}`)}\n`,
    );
  }
  if (count === 0 && !json) process.stdout.write('No message is dead\n');
  return commandStatus.success;
}

async function show(client: GatewayClient, id: string, json: boolean): Promise<number> {
  const answer = await client.get(`/v1/messages/${encodeURIComponent(id)}`);
  if (answer.status !== 200) throw new Refused(answer, `to show ${id}`);
  process.stdout.write(jsonLine(answer.body, json ? 0 : 2));
  return commandStatus.success;
}

async function change(
  client: GatewayClient,
  action: 'retry' | 'discard',
  ids: AsyncIterable<string> | Iterable<string>,
  json: boolean,
): Promise<number> {
  let status: number = commandStatus.success;
  let count = 0;
  for await (const id of ids) {
    const answer = await client.post(`/v1/messages/${encodeURIComponent(id)}/${action}`, {}, {});
    if (answer.status === 401) throw new Refused(answer, `to ${action} ${id}`);
    count += 1;
    if (answer.status !== 200) status = refused(answer, `to ${action} ${id}`);
    else process.stdout.write(json ? jsonLine(answer.body) : `${done[action]} ${printable(id)}\n`);
  }
  if (count === 0 && !json) process.stdout.write('No message is dead\n');
  return status;
}

/** Those that were dead when it began: one that is dead again meanwhile is not tried for ever. */
async function allIds(client: GatewayClient): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of deadMessages(client)) ids.push(id);
  return ids;
}

/** Lists, shows, tries again or discards messages that are dead. */
export async function dead(parsed: ParsedCommand): Promise<number> {
  const action = actionOf(parsed);
  const ids = parsed.operands.slice(1);
  const all = parsed.flags.has('all');
  const json = parsed.flags.has('json');
  const { name } = parsed.command;
  if (action === 'list' && ids.length > 0) throw new UsageError('list takes no message', name);
  if (all && action !== 'retry' && action !== 'discard') {
    throw new UsageError('--all goes with retry and discard', name);
  }
  if (action === 'show' && ids.length !== 1) throw new UsageError('show needs one message', name);
  if ((action === 'retry' || action === 'discard') && all === ids.length > 0) {
    throw new UsageError(`${action} needs messages, or --all`, name);
  }
  return askGateway(parsed, async (client) => {
    try {
      if (action === 'list') return await list(client, json);
      if (action === 'show') return await show(client, ids[0] ?? '', json);
      return await change(client, action, all ? await allIds(client) : ids, json);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return error.answer.status === 401 ? null : refused(error.answer, error.what);
    }
  });
}

interface Cancelled {
  readonly id: string;
}

/** Cancels a message, or all of a session that waits or runs. */
export async function cancel(parsed: ParsedCommand): Promise<number> {
  const [id] = parsed.operands;
  const session = parsed.values['session'];
  if ((id === undefined) === (session === undefined)) {
    throw new UsageError('name either a message or, with --session, a session', parsed.command.name);
  }
  const path =
    session === undefined
      ? `/v1/messages/${encodeURIComponent(id ?? '')}/cancel`
      : `/v1/sessions/${encodeURIComponent(session)}/cancel`;
  return askGateway(parsed, async (client) => {
    const answer = await client.post(path, {}, {});
    if (answer.status === 401) return null;
    if (answer.status !== 200) return refused(answer, 'to cancel it');
    if (parsed.flags.has('json')) process.stdout.write(jsonLine(answer.body));
    else if (session === undefined) process.stdout.write(`Cancelled ${id}\n`);
    else {
      const cancelled = (answer.body?.['cancelled'] ?? []) as readonly Cancelled[];
      for (const message of cancelled) process.stdout.write(`Cancelled ${printable(String(message.id))}\n`);
      if (cancelled.length === 0) process.stdout.write(`Nothing waits or runs in ${session}\n`);
    }
    return commandStatus.success;
  });
}
