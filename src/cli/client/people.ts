import { commandStatus } from '../command.js';
import { askYesNo, printable, versionedLine } from '../terminal.js';
import { actionOf, type ParsedCommand, UsageError } from '../usage.js';
import type { GatewayAnswer, GatewayClient } from './http.js';
import { askOrRefuse, Refused } from './messages.js';

const actions = ['list', 'accept', 'forget'] as const;

interface ShownPerson {
  readonly channel: string;
  readonly id: string;
  readonly name: string | null;
}

interface ShownAllowed extends ShownPerson {
  readonly role: string;
  readonly configured: boolean;
  readonly since: string | null;
}

interface ShownWaiting extends ShownPerson {
  readonly asked_at: string;
  readonly expires_at: string;
}

/** Lists the people who write by channels, lets somebody in, or forgets a person. */
export async function people(parsed: ParsedCommand): Promise<number> {
  const action = actionOf(parsed, actions, 'list');
  const [, operand] = parsed.operands;
  const { channel } = parsed.values;
  const usage = (message: string) => new UsageError(message, parsed.command.name);
  if (action === 'list' && operand !== undefined) throw usage('list takes no more words');
  if (action === 'accept' && operand === undefined) throw usage('accept needs the code of a person');
  if (action === 'forget' && operand === undefined) throw usage('forget needs the id of a person');
  if (action !== 'forget' && channel !== undefined) throw usage('--channel goes with forget');
  if (action !== 'accept' && parsed.flags.has('owner')) throw usage('--owner goes with accept');
  switch (action) {
    case 'list':
      return askOrRefuse(parsed, (client) => list(client, parsed.flags.has('json')));
    case 'accept':
      return askOrRefuse(parsed, (client) => accept(client, operand ?? '', parsed));
    case 'forget':
      return forget(parsed, operand ?? '', channel ?? null);
  }
}

async function list(client: GatewayClient, isJson: boolean): Promise<number> {
  const answer = await client.get('/v1/people');
  if (answer.status !== 200) throw new Refused(answer, 'to list people');
  if (isJson) {
    process.stdout.write(versionedLine(answer.body));
    return commandStatus.success;
  }
  const allowed = (answer.body?.['allowed'] ?? []) as readonly ShownAllowed[];
  const waiting = (answer.body?.['waiting'] ?? []) as readonly ShownWaiting[];
  for (const person of allowed) {
    const since = person.configured ? 'by the configuration' : `since ${person.since}`;
    line(person, `${person.role} ${since}`);
  }
  for (const person of waiting) line(person, `waits with a code, until ${person.expires_at}`);
  if (allowed.length + waiting.length === 0) process.stdout.write('Nobody may write by a channel\n');
  return commandStatus.success;
}

function line({ channel, id, name }: ShownPerson, what: string): void {
  const called = name === null ? '' : `  "${name}"`;
  process.stdout.write(`${printable(`${channel}  ${shownId(id)}${called}  ${what}`)}\n`);
}

/** An id is a word of its own in a line: one that isn't is in quotes. */
function shownId(id: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(id) && !id.startsWith('"') ? id : JSON.stringify(id);
}

async function accept(client: GatewayClient, code: string, parsed: ParsedCommand): Promise<number> {
  const role = parsed.flags.has('owner') ? 'owner' : 'user';
  const answer = await client.post('/v1/people/accept', { code, role }, {});
  if (answer.status !== 200) throw new Refused(answer, `to accept ${code}`);
  if (parsed.flags.has('json')) {
    process.stdout.write(versionedLine(answer.body));
    return commandStatus.success;
  }
  const { channel, id, name } = answer.body as unknown as ShownPerson;
  const called = name === null ? '' : ` "${name}"`;
  process.stdout.write(`${printable(`${shownId(id)}${called} may write by ${channel}, as ${role}`)}\n`);
  return commandStatus.success;
}

async function forget(parsed: ParsedCommand, id: string, channel: string | null): Promise<number> {
  if (!parsed.flags.has('yes')) {
    const answer = await askYesNo(`Forget ${shownId(id)}, and delete what this person has left?`);
    if (answer === null) {
      throw new UsageError('forget needs --yes where there is no terminal to ask on', parsed.command.name);
    }
    if (!answer) return commandStatus.failure;
  }
  return askOrRefuse(parsed, async (client) => {
    const answer = await client.post(
      '/v1/people/forget',
      { id, ...(channel === null ? {} : { channel }) },
      {},
    );
    if (answer.status !== 200) throw new Refused(answer, `to forget ${id}`);
    process.stdout.write(
      parsed.flags.has('json') ? versionedLine(answer.body) : `${printable(forgotten(id, answer))}\n`,
    );
    return commandStatus.success;
  });
}

function forgotten(id: string, { body }: GatewayAnswer): string {
  const names = (member: string) => (body?.[member] ?? []) as readonly string[];
  const deleted = names('deleted_sessions').length;
  const kept = names('kept_sessions');
  const busy = names('busy_sessions');
  return [
    `Forgot ${shownId(id)} of ${String(body?.['channel'])}: ${deleted} ${deleted === 1 ? 'session' : 'sessions'} deleted`,
    ...(kept.length === 0 ? [] : [`Kept, as others have written there: ${kept.join(', ')}`]),
    ...(busy.length === 0 ? [] : [`Not deleted, as a turn has not ended: ${busy.join(', ')}; try again`]),
    ...(body?.['may_still_write'] === true
      ? [
          `This person may still write: the configuration allows it (channels.${String(body['channel'])}.allow)`,
        ]
      : []),
  ].join('\n');
}
