import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { askFacts } from '../../channels/control/ask-facts.js';
import { hostInUrl, type ListenAddress, parseListenAddress } from '../../config/values.js';
import { readSecret, SecretError, tokenForm } from '../../gateway/start/secrets.js';
import { asOwnerOf, IdentityError, ownerOf } from '../../linux/owner.js';
import { ownCommand } from '../../text/own-command.js';
import { commandStatus } from '../command.js';
import { commandFor } from '../operate/find.js';
import { printable, shellWord, versionedLine } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { type GatewayAnswer, GatewayClient, UnansweredPostError, UnreachableError } from './http.js';
import { configurationAt, type GatewayLocation, instanceOf, locateGateway } from './locate.js';
import { noTokenAdvice } from './no-token.js';
import { UnprovenError } from './proven-connection.js';

/** The address of this package's socket unit, for a configuration that leaves it to systemd. */
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
      return `http://${hostInUrl(host)}:${listen.port}`;
    }
  }
}

/** The directories of a running unit's credentials (systemd.exec(5)) with a token, which root can read. */
export function credentialsOf(unit: string | null): readonly string[] {
  if (unit === null) return [];
  const { XDG_RUNTIME_DIR: own } = process.env;
  const roots = process.getuid?.() === 0 || own === undefined ? ['/run'] : [own];
  return roots
    .map((root) => join(root, 'credentials', unit))
    .filter((path) => existsSync(join(path, 'token')));
}

/** The token in the environment; empty: none. As in a file, white space around it is no part of it: an editor's carriage return, say. */
function givenToken(): string {
  return process.env['SD_GATEWAY_TOKEN']?.trim() ?? '';
}

/**
 * Tokens that may be the gateway's: the one in the environment, or those that are found where a gateway in the
 * foreground and a unit keep theirs, those that can be sent. None: the reason was printed.
 */
async function readTokens(parsed: ParsedCommand, location: GatewayLocation): Promise<readonly string[]> {
  const { directories, unit } = location;
  const { state, earlierUserState } = directories;
  const told = givenToken();
  if (told !== '') {
    if (tokenForm.pattern.test(told)) return [told];
    process.stderr.write(`sd-gateway: the token in SD_GATEWAY_TOKEN ${tokenForm.text}.\n`);
    return [];
  }
  const tokens: string[] = [];
  const reasons: string[] = [];
  let isDenied = false;
  let isUnusable = false;
  const { credentials: given } = directories;
  // A service beside the gateway's, such as that of a schedule, has its own.
  const isGiven = unit === null && given !== null && existsSync(join(given, 'token'));
  const credentials = isGiven ? [given] : credentialsOf(unit);
  for (const directory of [...credentials, state, earlierUserState]) {
    if (directory === null) continue;
    const path = join(directory, 'token');
    try {
      const kind = credentials.includes(directory) ? 'credential' : 'state';
      const options = { name: 'token', form: tokenForm };
      const token = asOwnerOf(path, (reachable) => readSecret(path, kind, options, reachable));
      if (token === null) reasons.push(`there is none in ${path}`);
      else tokens.push(token);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!(error instanceof SecretError || error instanceof IdentityError) && code === undefined)
        throw error;
      if (isDenial(error)) {
        isDenied = true;
        reasons.push(`this user may not read ${path}`);
      } else {
        isUnusable = true;
        reasons.push((error as Error).message.replace(/\.$/, ''));
      }
    }
  }
  if (tokens.length === 0) {
    // The reason itself says what to do with a file that is there.
    const advice = isUnusable ? '' : ` ${await noTokenAdvice(parsed, location, isDenied)}`;
    process.stderr.write(`sd-gateway: no token: ${printable(`${reasons.join('; ')}.${advice}`)}\n`);
  }
  return tokens;
}

/** True if the mode of a file, or of a directory on the way, is against it. */
function isDenial(error: unknown): boolean {
  const codes = [error, (error as Error).cause].map(
    (each) => (each as NodeJS.ErrnoException | undefined)?.code,
  );
  return codes.includes('EACCES');
}

/** Prints the operator's token. */
export async function showToken(parsed: ParsedCommand): Promise<number> {
  const [found] = await readTokens(parsed, await locateGateway(parsed));
  if (found === undefined) return commandStatus.unavailable;
  process.stdout.write(parsed.flags.has('json') ? versionedLine({ token: found }) : `${found}\n`);
  return commandStatus.success;
}

/** Words of the command line for members of the request's body, such as a file's name for "attachments/0". */
export type MemberNames = Readonly<Record<string, string>>;

/** The reason in an answer that is none of what was asked for. */
export function problemText(answer: GatewayAnswer, names: MemberNames = {}): string {
  const detail = answer.body?.['detail'] ?? answer.body?.['title'];
  if (typeof detail !== 'string') return `HTTP status ${answer.status}`;
  const [quoted = '', member = ''] = /^"([^"]+)"/.exec(detail) ?? [];
  const name = Object.hasOwn(names, member) ? names[member] : undefined;
  return printable(name === undefined ? detail : `${name}${detail.slice(quoted.length)}`);
}

/** Statuses of a reverse proxy without its gateway, which may have no body. */
const proxyStatuses: readonly number[] = [502, 503, 504];

/** Prints why the gateway did not do it; gives the exit status. `what`: what was asked for, such as "the message". */
export function refused(answer: GatewayAnswer, what: string, names: MemberNames = {}): number {
  // Each refusal of the gateway is problem details (RFC 9457).
  if (answer.body === null && !proxyStatuses.includes(answer.status)) {
    process.stderr.write(
      `sd-gateway: what answers there is no gateway (HTTP status ${answer.status}): another program may have its address; "${ownCommand('doctor')}" says which.\n`,
    );
    return commandStatus.failure;
  }
  process.stderr.write(`sd-gateway: the gateway refused ${printable(what)}: ${problemText(answer, names)}\n`);
  if (answer.status === 403) return commandStatus.noPermission;
  return answer.status === 503 ? commandStatus.unavailable : commandStatus.failure;
}

/**
 * Names the users who may run the gateway: root, this user, the owner of its state directory, and the user as whom the
 * manager runs its unit.
 */
function trustedUsers({ directories: { state }, unitUser }: GatewayLocation): ReadonlySet<number> {
  const users = [0, process.geteuid?.() ?? 0, unitUser, ownerIfSeen(state)];
  return new Set(users.filter((uid) => uid !== null));
}

function ownerIfSeen(path: string): number | null {
  try {
    return ownerOf(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

/** Asks the running gateway for its address, since a socket unit may decide it; null if it can't be asked. */
async function toldBy({ directories }: GatewayLocation): Promise<string | null> {
  const answer = await askFacts(join(directories.runtime, 'control.sock'));
  const told: unknown = answer.outcome === 'told' ? answer.facts.listening : [];
  const addresses = Array.isArray(told) ? told.map(String) : [];
  // One that can't be named so (an abstract Unix socket's, or one with a zone) is not for this program either.
  const listens = addresses.map((address) => parseListenAddress(address.replace(/^http:\/\//, '')));
  const listen = listens.find((each) => each !== null);
  return listen === undefined ? null : addressOf(listen);
}

/**
 * Finds the address of the gateway, and the users of whom one must answer there. Null: the operator named the address,
 * and trusts it. Throws a UsageError, or a ConfigurationError.
 */
async function goalOf(
  parsed: ParsedCommand,
  location: GatewayLocation,
): Promise<{ readonly address: string; readonly trusted: ReadonlySet<number> | null }> {
  // Empty is as unset, as it is of the token.
  const named = parsed.values['url'] ?? (process.env['SD_GATEWAY_URL'] || null);
  const address =
    named ?? (await toldBy(location)) ?? addressOf(configurationAt(location).configuration.http.listen);
  // "localhost:8733" is a URL, whose scheme is "localhost".
  if (!address.startsWith('unix:/') && !(URL.canParse(address) && /^https?:/i.test(address))) {
    throw new UsageError(
      `"${address}" is no address: use http://HOST:PORT, https://HOST or unix:/PATH`,
      parsed.command.name,
    );
  }
  return { address, trusted: named === null ? trustedUsers(location) : null };
}

function startAdvice(parsed: ParsedCommand, { unit, scope }: GatewayLocation): string {
  const target = { scope, instance: instanceOf(parsed) };
  if (unit !== null) return `Start it with "${commandFor('start', target, true)}"`;
  return `Start it with "${ownCommand('run')}", or "${commandFor('install --now', target, true)}" as a service`;
}

/**
 * Has `ask` ask the gateway with each token that may be its own, until one is taken: it gives null where the answer was
 * 401. Gives the exit status.
 */
export async function askGateway(
  parsed: ParsedCommand,
  ask: (client: GatewayClient) => Promise<number | null>,
): Promise<number> {
  const location = await locateGateway(parsed);
  const { address, trusted } = await goalOf(parsed, location);
  const tokens = await readTokens(parsed, location);
  if (tokens.length === 0) return commandStatus.unavailable;
  try {
    for (const token of tokens) {
      const status = await ask(new GatewayClient(address, token, trusted));
      if (status !== null) return status;
    }
  } catch (error) {
    if (error instanceof UnprovenError) {
      process.stderr.write(
        `sd-gateway: ${printable(error.message)}. Start the gateway; or name the one that is meant with --system, --user or --instance, or the address, if it is right, with --url.\n`,
      );
      return commandStatus.unavailable;
    }
    if (error instanceof UnansweredPostError) {
      process.stderr.write(
        `sd-gateway: ${printable(error.message)}. Before you send it again, see if it is there: ${printable(ownCommand(`messages ${shellWord(error.session)}`))}\n`,
      );
      return commandStatus.restart;
    }
    if (!(error instanceof UnreachableError)) throw error;
    process.stderr.write(
      `sd-gateway: ${printable(error.message)}. ${printable(startAdvice(parsed, location))}, or name another address with --url.\n`,
    );
    return commandStatus.unavailable;
  }
  if (givenToken() !== '') {
    process.stderr.write(
      `sd-gateway: the gateway does not accept the token in SD_GATEWAY_TOKEN. Unset it, so that the gateway’s own is read; or put another one there ("${ownCommand('token show')}" prints the gateway’s own).\n`,
    );
    return commandStatus.noPermission;
  }
  process.stderr.write(
    'sd-gateway: the gateway does not accept the token. It is the file "token" in the gateway’s state directory or, where its unit has one, the credential "token" (systemctl cat shows where it comes from; root can read it in /run/credentials/UNIT/token); it can be given in SD_GATEWAY_TOKEN.\n',
  );
  return commandStatus.noPermission;
}
