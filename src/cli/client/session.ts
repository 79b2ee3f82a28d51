import { commandStatus } from '../command.js';
import { askYesNo, printable, versionedLine } from '../terminal.js';
import { actionOf, type ParsedCommand, UsageError } from '../usage.js';
import type { GatewayAnswer, GatewayClient } from './http.js';
import { askOrRefuse, Refused } from './messages.js';

const actions = ['show', 'set', 'reset', 'delete'] as const;
type Action = (typeof actions)[number];

interface Request {
  readonly action: Action;
  readonly name: string;
  /** For `set`. */
  readonly agent: string;
}

function ask(client: GatewayClient, { action, name, agent }: Request): Promise<GatewayAnswer> {
  const path = `/v1/sessions/${encodeURIComponent(name)}`;
  switch (action) {
    case 'show':
      return client.get(path);
    case 'set':
      return client.put(`${path}/agent`, { agent });
    case 'reset':
      return client.post(`${path}/reset`, {}, {});
    case 'delete':
      return client.delete(path);
  }
}

function textOf({ action, name, agent }: Request, { body }: GatewayAnswer): string {
  switch (action) {
    case 'show':
      return Object.entries(body ?? {})
        .map(([member, value]) => `${member.replaceAll('_', ' ')}: ${value ?? 'none'}`)
        .join('\n');
    case 'set':
      return `${name} has the agent ${agent} from its next turn on`;
    case 'reset':
      return `${name} begins anew with its next message (generation ${body?.['generation']})`;
    case 'delete':
      return `Deleted ${name}`;
  }
}

/** Shows a session, chooses its agent, begins it anew or deletes it. */
export async function session(parsed: ParsedCommand): Promise<number> {
  const { name: command } = parsed.command;
  const action = actionOf(parsed, actions);
  const name = parsed.operands[1] ?? '';
  const agent = parsed.values['agent'];
  if ((action === 'set') !== (agent !== undefined)) {
    throw new UsageError(action === 'set' ? 'set needs --agent NAME' : '--agent goes with set', command);
  }
  if (action === 'delete' && !parsed.flags.has('yes')) {
    const answer = await askYesNo(`Delete ${name} with all its messages, replies and files?`);
    if (answer === null)
      throw new UsageError('delete needs --yes where there is no terminal to ask on', command);
    if (!answer) {
      process.stderr.write('sd-gateway: nothing was deleted.\n');
      return commandStatus.failure;
    }
  }
  const request = { action, name, agent: agent ?? '' };
  return askOrRefuse(parsed, async (client) => {
    const answer = await ask(client, request);
    if (answer.status !== 200) throw new Refused(answer, `to ${action} ${name}`);
    const isJson = parsed.flags.has('json');
    process.stdout.write(isJson ? versionedLine(answer.body) : `${printable(textOf(request, answer))}\n`);
    return commandStatus.success;
  });
}

const reasons: Readonly<Record<string, string>> = {
  session: 'it was chosen for the session before',
  default: 'no [[route]] of the configuration fits',
};

/** Says which agent a session has or would get. */
export async function route(parsed: ParsedCommand): Promise<number> {
  const [name = ''] = parsed.operands;
  const query = new URLSearchParams();
  for (const part of ['channel', 'sender']) {
    const value = parsed.values[part];
    if (value !== undefined) query.set(part, value);
  }
  return askOrRefuse(parsed, async (client) => {
    const answer = await client.get(`/v1/sessions/${encodeURIComponent(name)}/route?${query}`);
    if (answer.status !== 200) throw new Refused(answer, `to say the route of ${name}`);
    const { agent, source, route: number, configured } = answer.body ?? {};
    const reason = reasons[String(source)] ?? `the [[route]] number ${number} of the configuration fits`;
    const missing =
      configured === false ? `\nThe configuration has no [agents.${agent}]: its turns wait.` : '';
    const text = `${name}: ${agent}, as ${reason}${missing}`;
    process.stdout.write(parsed.flags.has('json') ? versionedLine(answer.body) : `${printable(text)}\n`);
    return commandStatus.success;
  });
}
