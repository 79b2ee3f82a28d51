import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { ListenAddress } from '../config/values.js';
import { parseTimeSpan } from '../config/values.js';
import { commandStatus } from './commands.js';
import { type Answer, GatewayClient, UnreachableError } from './gateway-client.js';
import { configurationAt, type Place, placeOf } from './place.js';
import { type ParsedCommand, UsageError } from './usage.js';

const defaultSession = 'cli';
const defaultWait = '5min';
/** How long one request for the reply waits, in seconds; a gateway may allow less. */
const longestPoll = 30;
/** Where the socket unit of this package listens, for a configuration that leaves that to systemd. */
const socketUnitAddress = 'http://127.0.0.1:8733';

function addressOf(listen: ListenAddress): string {
  switch (listen.kind) {
    case 'unix':
      return `unix:${listen.path}`;
    case 'systemd':
      return socketUnitAddress;
    case 'tcp': {
      // A server on all addresses is reached on this machine's own.
      const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
      return `http://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
    }
  }
}

/** Where systemd keeps the credentials of a running unit that has some (systemd.exec(5)); for root to read. */
function credentialsOf(unit: string | null): readonly string[] {
  if (unit === null) return [];
  const { XDG_RUNTIME_DIR: own } = process.env;
  const roots = process.getuid?.() === 0 || own === undefined ? ['/run'] : [own];
  return roots
    .map((root) => join(root, 'credentials', unit))
    .filter((path) => existsSync(join(path, 'token')));
}

/**
 * Tokens that may be the gateway's: the one in the environment, or those that are found where a gateway in the
 * foreground and a unit keep theirs. None: the reason was printed.
 */
function readTokens({ directories: { state, earlierUserState }, unit }: Place): readonly string[] {
  const given = process.env['SD_GATEWAY_TOKEN'];
  if (given !== undefined && given !== '') return [given];
  const tokens: string[] = [];
  const reasons: string[] = [];
  for (const directory of [...credentialsOf(unit), state, earlierUserState]) {
    if (directory === null) continue;
    const path = join(directory, 'token');
    try {
      tokens.push(readFileSync(path, 'utf8').trim());
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      reasons.push(code === 'ENOENT' ? `there is none in ${path}` : `${path} can’t be read (${code})`);
    }
  }
  if (tokens.length === 0) {
    process.stderr.write(
      `sd-gateway: no token: ${reasons.join(', ')}. Start a gateway as this user, name its instance with --instance, or set SD_GATEWAY_TOKEN; a token that is a credential of the unit can be read by root in /run/credentials/UNIT/token.\n`,
    );
  }
  return tokens;
}

function problemText(answer: Answer): string {
  const detail = answer.body?.['detail'] ?? answer.body?.['title'];
  return typeof detail === 'string' ? detail : `HTTP status ${answer.status}`;
}

/** Posts until the gateway has taken it or refused it: while its store is out of order it answers 503. */
async function post(
  client: GatewayClient,
  session: string,
  message: string,
  deadline: number,
): Promise<Answer> {
  const headers = { 'Idempotency-Key': randomUUID() };
  for (;;) {
    const answer = await client.post(
      `/v1/sessions/${encodeURIComponent(session)}/messages`,
      { text: message },
      headers,
    );
    const retryAfter = Number(answer.headers['retry-after'] ?? 1) * 1_000;
    if (answer.status !== 503 || performance.now() + retryAfter > deadline) return answer;
    await pause(retryAfter);
  }
}

function isSettled(state: unknown): boolean {
  return state === 'replied' || state === 'delivered' || state === 'dead';
}

async function awaitReply(client: GatewayClient, id: string, deadline: number): Promise<Answer> {
  for (;;) {
    const left = Math.max(0, (deadline - performance.now()) / 1_000);
    const seconds = Math.min(longestPoll, Math.ceil(left));
    const answer = await client.get(`/v1/messages/${id}?wait=${seconds}`);
    if (answer.status !== 200 || isSettled(answer.body?.['state'])) return answer;
    // A gateway that stops ends polls early, and says when to ask the next one.
    const retryAfter = Number(answer.headers['retry-after'] ?? 0) * 1_000;
    if (performance.now() + retryAfter >= deadline) return answer;
    await pause(retryAfter);
  }
}

/** Prints the end of a message that is settled, or that it isn't. */
function finish(answer: Answer, id: string, asJson: boolean): number {
  const { body } = answer;
  if (asJson) process.stdout.write(`${JSON.stringify(body)}\n`);
  if (body?.['state'] === 'dead') {
    process.stderr.write(`sd-gateway: message ${id} is dead: ${String(body['error'])}\n`);
    return commandStatus.failure;
  }
  if (!isSettled(body?.['state'])) {
    process.stderr.write(
      `sd-gateway: no reply yet; message ${id} goes on, and its reply can be read at /v1/messages/${id}.\n`,
    );
    return commandStatus.restart;
  }
  const reply = body?.['reply'] as { readonly text?: unknown } | null;
  if (!asJson) process.stdout.write(`${String(reply?.text ?? '')}\n`);
  return commandStatus.success;
}

function refused(answer: Answer): number {
  if (answer.status === 401) {
    process.stderr.write(
      'sd-gateway: the gateway does not accept the token. It is the file "token" in the gateway’s state directory or, where its unit has one, the credential "token" (systemctl cat shows where it comes from; root can read it in /run/credentials/UNIT/token); it can be given in SD_GATEWAY_TOKEN.\n',
    );
    return commandStatus.noPermission;
  }
  process.stderr.write(`sd-gateway: the gateway refused the message: ${problemText(answer)}\n`);
  return answer.status === 503 ? commandStatus.unavailable : commandStatus.failure;
}

/** Sends a message, waits for its reply and prints it. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const wait = parseTimeSpan(parsed.values['wait'] ?? defaultWait);
  if (wait === null) throw new UsageError('--wait needs a time such as "30s" or "5min"', parsed.command.name);
  const [operand = ''] = parsed.operands;
  const message = operand === '-' ? await text(process.stdin) : operand;
  const place = await placeOf(parsed);
  const address =
    parsed.values['url'] ??
    process.env['SD_GATEWAY_URL'] ??
    addressOf(configurationAt(place).configuration.http.listen);
  if (!address.startsWith('unix:/') && !URL.canParse(address)) {
    throw new UsageError(
      `"${address}" is no address: use http://HOST:PORT or unix:/PATH`,
      parsed.command.name,
    );
  }
  const deadline = performance.now() + wait;
  const session = parsed.values['session'] ?? defaultSession;
  const tokens = readTokens(place);
  if (tokens.length === 0) return commandStatus.unavailable;
  try {
    let answer: Answer | null = null;
    for (const token of tokens) {
      const client = new GatewayClient(address, token);
      answer = await post(client, session, message, deadline);
      if (answer.status === 202) return await report(client, answer, deadline, parsed.flags.has('json'));
      if (answer.status !== 401) break;
    }
    return answer === null ? commandStatus.unavailable : refused(answer);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    process.stderr.write(
      `sd-gateway: ${error.message}. Start it with "sd-gateway run" or "systemctl start sd-gateway", or name another address with --url.\n`,
    );
    return commandStatus.unavailable;
  }
}

/** Waits for the reply to what was accepted, and prints it. */
async function report(
  client: GatewayClient,
  accepted: Answer,
  deadline: number,
  asJson: boolean,
): Promise<number> {
  const id = String(accepted.body?.['id']);
  const answer = await awaitReply(client, id, deadline);
  return answer.status === 200 ? finish(answer, id, asJson) : refused(answer);
}
