import { ownCommand } from '../../text/own-command.js';
import { commandStatus } from '../command.js';
import { cut, printable, terminalOf, versionedLine } from '../terminal.js';
import { actionOf, type ParsedCommand, UsageError } from '../usage.js';
import { askGateway, type MemberNames, refused } from './access.js';
import { heldReason } from './agents.js';
import type { GatewayAnswer, GatewayClient } from './http.js';

const actions = ['list', 'show', 'retry', 'discard'] as const;

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
export class Refused extends Error {
  constructor(
    readonly answer: GatewayAnswer,
    readonly what: string,
    readonly names: MemberNames = {},
  ) {
    super(what);
  }
}

/** Reads a list to its end, page by page. `what`: what was asked for, such as "to list sessions". Throws a Refused. */
async function* itemsOf<Item>(client: GatewayClient, path: string, what: string): AsyncGenerator<Item> {
  let after: string | null = null;
  do {
    const cursor: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const answer = await client.get(`${path}?limit=1000${cursor}`);
    if (answer.status !== 200) throw new Refused(answer, what);
    yield* (answer.body?.['items'] ?? []) as readonly Item[];
    after = answer.body?.['next'] as string | null;
  } while (after !== null);
}

function deadMessages(client: GatewayClient): AsyncGenerator<DeadMessage> {
  return itemsOf(client, '/v1/dead', 'to list dead messages');
}

async function list(client: GatewayClient, json: boolean): Promise<number> {
  let count = 0;
  for await (const message of deadMessages(client)) {
    count += 1;
    const { id, session, changed_at, error } = message;
    const [reason = ''] = (error ?? '').split('\n');
    process.stdout.write(
      json ? versionedLine(message) : `${printable(`${id}  ${changed_at}  ${session}  ${reason}`)}\n`,
    );
  }
  if (count === 0 && !json) process.stdout.write('No message is dead\n');
  return commandStatus.success;
}

/** Throws a Refused. */
export async function readMessage(client: GatewayClient, id: string): Promise<ShownMessage> {
  const answer = await client.get(`/v1/messages/${encodeURIComponent(id)}`);
  if (answer.status !== 200 || answer.body === null) throw new Refused(answer, `to show ${id}`);
  return answer.body as unknown as ShownMessage;
}

async function showAsJson(client: GatewayClient, id: string, oneLine: boolean): Promise<number> {
  process.stdout.write(versionedLine(await readMessage(client, id), oneLine ? 0 : 2));
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
    else process.stdout.write(json ? versionedLine(answer.body) : `${done[action]} ${printable(id)}\n`);
  }
  if (count === 0 && !json) process.stdout.write('No message is dead\n');
  return status;
}

/** Lists the messages that are dead at the beginning: one that is dead again meanwhile is not tried for ever. */
async function allIds(client: GatewayClient): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of deadMessages(client)) ids.push(id);
  return ids;
}

/** Lists, shows, tries again or discards messages that are dead. */
export async function dead(parsed: ParsedCommand): Promise<number> {
  const action = actionOf(parsed, actions, 'list');
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
  return askOrRefuse(parsed, async (client) => {
    if (action === 'list') return list(client, json);
    if (action === 'show') return showAsJson(client, ids[0] ?? '', json);
    return change(client, action, all ? await allIds(client) : ids, json);
  });
}

/** Asks the gateway; prints the reason where it throws a Refused. Gives the exit status. */
export function askOrRefuse(
  parsed: ParsedCommand,
  ask: (client: GatewayClient) => Promise<number>,
): Promise<number> {
  return askGateway(parsed, async (client) => {
    try {
      return await ask(client);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return error.answer.status === 401 ? null : refused(error.answer, error.what, error.names);
    }
  });
}

interface ListedSession {
  readonly session: string;
  readonly last_seq: number;
  readonly waiting: number;
  readonly running: boolean;
  readonly last_accepted_at: string;
}

/** Lists the sessions by their names. */
export async function sessions(parsed: ParsedCommand): Promise<number> {
  const json = parsed.flags.has('json');
  return askOrRefuse(parsed, async (client) => {
    let count = 0;
    for await (const item of itemsOf<ListedSession>(client, '/v1/sessions', 'to list sessions')) {
      count += 1;
      const { session, last_seq, waiting, running, last_accepted_at } = item;
      const state = running ? 'running' : 'idle';
      const text = `${last_accepted_at}  ${state.padEnd(7)}  ${waiting} waiting  ${last_seq} in all  ${session}`;
      process.stdout.write(json ? versionedLine(item) : `${printable(text)}\n`);
    }
    if (count === 0 && !json) process.stdout.write('There is no session yet\n');
    return commandStatus.success;
  });
}

interface ListedMessage {
  readonly id: string;
  readonly state: string;
  /** While it is running; null or absent: nothing. */
  readonly waiting_for?: string | null;
  readonly accepted_at: string;
  readonly text: string;
}

/** Lists the messages of a session, oldest first; on a terminal a line each. */
export async function messages(parsed: ParsedCommand): Promise<number> {
  const [session = ''] = parsed.operands;
  const json = parsed.flags.has('json');
  const terminal = terminalOf(parsed);
  return askOrRefuse(parsed, async (client) => {
    const path = `/v1/sessions/${encodeURIComponent(session)}/messages`;
    for await (const message of itemsOf<ListedMessage>(client, path, `to list the messages of ${session}`)) {
      const { id, state, waiting_for, accepted_at, text } = message;
      const wait = waiting_for ? `(waits: ${waiting_for})  ` : '';
      const line = printable(
        `${id}  ${accepted_at}  ${state.padEnd(9)}  ${wait}${text.replaceAll('\n', ' ')}`,
      );
      const shown = terminal.isTerminal ? cut(line, terminal.width) : line;
      process.stdout.write(json ? versionedLine(message) : `${shown}\n`);
    }
    return commandStatus.success;
  });
}

/** Shows a message with its reply, and what became of it. */
export async function show(parsed: ParsedCommand): Promise<number> {
  const [id = ''] = parsed.operands;
  return askOrRefuse(parsed, async (client) => {
    if (parsed.flags.has('json')) return showAsJson(client, id, true);
    const message = await readMessage(client, id);
    // A queued message with a reason of its own needs no other.
    const waits = message.state === 'queued' && (message.waiting_for ?? null) === null;
    const held = waits ? await heldReason(client, message.session) : null;
    for (const [label, value] of messageRows(message, held)) {
      process.stdout.write(
        `${label.padStart(10)}: ${printable(value).replaceAll('\n', `\n${' '.repeat(12)}`)}\n`,
      );
    }
    return commandStatus.success;
  });
}

interface ShownUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
}

/** A file of a message or of a reply. */
export interface ShownFile {
  readonly name: string;
  readonly media_type: string;
  readonly size: number;
  readonly sha256: string;
  readonly path: string;
}

/** A reply, as far as commands show it. */
export interface ShownReply {
  readonly text: string;
  readonly attachments?: readonly ShownFile[];
}

interface ShownMessage extends ListedMessage {
  readonly session: string;
  readonly seq: number;
  readonly changed_at: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly collected_in: string | null;
  /** Gateways of an earlier version show none. */
  readonly attachments?: readonly ShownFile[];
  readonly reply: (ShownReply & { readonly at: string; readonly usage?: ShownUsage | null }) | null;
  readonly delivery: {
    readonly attempts: number;
    readonly delivered_at: string | null;
    readonly next_attempt_at: string | null;
    readonly last_error: string | null;
  } | null;
}

/** @param held why no turn of its session begins; null: nothing is known to keep it */
function messageRows(
  message: ShownMessage,
  held: string | null,
): readonly (readonly [label: string, text: string])[] {
  const { reply, delivery, attempts } = message;
  const rows: [string, string | null][] = [
    ['Message', message.id],
    ['Session', `${message.session}, number ${message.seq}`],
    ['State', `${message.state} since ${message.changed_at}`],
    ['Waits for', message.waiting_for ?? held],
    ['Accepted', message.accepted_at],
    ['Attempts', attempts === 0 ? 'none yet' : String(attempts)],
    ['Answered', message.collected_in === null ? null : `together with ${message.collected_in}`],
    ['Text', message.text],
    ['Files', filesText(message.attachments)],
    ['Reply', reply === null ? null : `${reply.text}`],
    ['Its files', filesText(reply?.attachments)],
    ['Tokens', usageText(reply?.usage ?? null)],
    ['Error', message.error],
    ['Delivery', delivery === null ? null : deliveryText(delivery)],
  ];
  return rows.flatMap(([label, text]) => (text === null ? [] : [[label, text] as const]));
}

/** Says for each file of a reply how to save it. `id`: the message whose turn made it. */
export function replyFileLines(
  id: string,
  { attachments = [] }: Pick<ShownReply, 'attachments'>,
): readonly string[] {
  return attachments.map(
    (file, index) =>
      `the reply has a file, ${fileText(file)}: ${ownCommand(`attachment --reply ${id} ${index + 1}`)}`,
  );
}

/** A file in one line. */
function fileText({ name, media_type, size }: ShownFile): string {
  return `${name} (${media_type}, ${size} bytes)`;
}

function filesText(files: readonly ShownFile[] = []): string | null {
  if (files.length === 0) return null;
  return files.map((file, index) => `${index + 1}. ${fileText(file)}`).join('\n');
}

function usageText(usage: ShownUsage | null): string | null {
  return usage === null ? null : `${usage.input_tokens} in, ${usage.output_tokens} out`;
}

function deliveryText(delivery: NonNullable<ShownMessage['delivery']>): string {
  const { attempts, delivered_at, next_attempt_at, last_error } = delivery;
  return [
    delivered_at === null ? 'not delivered' : `delivered at ${delivered_at}`,
    `attempts: ${attempts}`,
    ...(next_attempt_at === null ? [] : [`next at ${next_attempt_at}`]),
    ...(last_error === null || delivered_at !== null ? [] : [`last error: ${last_error}`]),
  ].join(', ');
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
    if (parsed.flags.has('json')) process.stdout.write(versionedLine(answer.body));
    else if (session === undefined) process.stdout.write(`Cancelled ${id}\n`);
    else {
      const cancelled = (answer.body?.['cancelled'] ?? []) as readonly Cancelled[];
      for (const message of cancelled) process.stdout.write(`Cancelled ${printable(String(message.id))}\n`);
      if (cancelled.length === 0) process.stdout.write(`Nothing waits or runs in ${session}\n`);
    }
    return commandStatus.success;
  });
}
