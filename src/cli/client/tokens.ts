import { commandStatus } from '../command.js';
import { printable, versionedLine } from '../terminal.js';
import { actionOf, type ParsedCommand, UsageError } from '../usage.js';
import { showToken } from './access.js';
import type { GatewayClient } from './http.js';
import { askOrRefuse, Refused } from './messages.js';

const actions = ['show', 'add', 'list', 'revoke'] as const;

interface ShownToken {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
}

/** Shows the operator's token, or makes, lists or revokes named ones. */
export async function token(parsed: ParsedCommand): Promise<number> {
  const action = actionOf(parsed, actions);
  const [, name] = parsed.operands;
  const { scope } = parsed.values;
  const json = parsed.flags.has('json');
  const usage = (message: string) => new UsageError(message, parsed.command.name);
  const wantsName = action === 'add' || action === 'revoke';
  if (wantsName && name === undefined) throw usage(`${action} needs the name of a token`);
  if (!wantsName && name !== undefined) throw usage(`${action} takes no name`);
  if (action === 'add' && scope === undefined) throw usage('add needs --scope, such as --scope post,read');
  if (action !== 'add' && scope !== undefined) throw usage('--scope goes with add');
  switch (action) {
    case 'show':
      return showToken(parsed);
    case 'add': {
      const scopes = (scope ?? '').split(/[\s,]+/).filter((word) => word !== '');
      return askOrRefuse(parsed, (client) => add(client, { name: name ?? '', scopes }, json));
    }
    case 'list':
      return askOrRefuse(parsed, (client) => list(client, json));
    case 'revoke':
      return askOrRefuse(parsed, (client) => revoke(client, name ?? '', json));
  }
}

async function add(
  client: GatewayClient,
  body: { readonly name: string; readonly scopes: readonly string[] },
  json: boolean,
): Promise<number> {
  const answer = await client.post('/v1/tokens', body, {});
  if (answer.status !== 201) {
    const names = body.scopes.map((scope, index) => [`scopes/${index}`, `the scope "${scope}"`]);
    throw new Refused(answer, `to make the token "${body.name}"`, {
      ...Object.fromEntries(names),
      name: `the name "${body.name}"`,
    });
  }
  process.stdout.write(json ? versionedLine(answer.body) : `${String(answer.body?.['token'])}\n`);
  return commandStatus.success;
}

async function list(client: GatewayClient, json: boolean): Promise<number> {
  const answer = await client.get('/v1/tokens');
  if (answer.status !== 200) throw new Refused(answer, 'to list tokens');
  const items = (answer.body?.['items'] ?? []) as readonly ShownToken[];
  if (json) {
    process.stdout.write(versionedLine({ tokens: items }));
    return commandStatus.success;
  }
  for (const { name, scopes, created_at } of items) {
    process.stdout.write(`${printable(`${name}  ${created_at}  ${scopes.join(',')}`)}\n`);
  }
  if (items.length === 0) process.stdout.write('There is no token but the operator’s\n');
  return commandStatus.success;
}

async function revoke(client: GatewayClient, name: string, json: boolean): Promise<number> {
  const answer = await client.delete(`/v1/tokens/${encodeURIComponent(name)}`);
  if (answer.status !== 204) throw new Refused(answer, `to revoke the token "${name}"`);
  process.stdout.write(json ? versionedLine({ revoked: name }) : `Revoked ${printable(name)}\n`);
  return commandStatus.success;
}
