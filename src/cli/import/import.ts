import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readChannelSecret } from '../../channels/secret.js';
import { configurationSchema } from '../../config/schema.js';
import { readToml } from '../../config/toml.js';
import { commentedConfiguration, type WrittenTable } from '../../config/written.js';
import { asOwnerOf, IdentityError } from '../../linux/owner.js';
import type { Scope } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { instanceOf, locateGateway, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import type { NewSecret } from '../init/channel-questions.js';
import { NextSteps } from '../init/next-steps.js';
import { listenFor, presentLine } from '../init/present.js';
import { writeNewFiles } from '../init/write.js';
import { printable } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { takeHermes } from './hermes.js';
import { findProgram, findRunning, type OtherGateway, type OwnSigns, readSigns } from './old-gateway.js';
import { takeOpenClaw } from './openclaw.js';
import { SourceDirectory, SourceError } from './source-directory.js';
import type { TakenChannel, TakenSecret, Takeover } from './takeover.js';

const titles: Readonly<Record<OtherGateway, string>> = { hermes: 'Hermes', openclaw: 'OpenClaw' };

/** Ends of the names of the secrets' files. */
const kinds: Readonly<Record<TakenSecret['key'], string>> = {
  token_file: 'token',
  app_token_file: 'app-token',
  signing_secret_file: 'signing-secret',
};

/** Takes over bots, people and the agent of another gateway. */
export async function run(parsed: ParsedCommand): Promise<number> {
  const scope = scopeOf(parsed);
  if (scope === 'system' && process.getuid?.() !== 0) {
    return refuse(
      commandStatus.noPermission,
      'only root can write the configuration of the system: use sudo, or leave --system out for a gateway of your own',
    );
  }
  const kind = gatewayOf(parsed);
  const directory = resolve(parsed.operands[1] ?? join(homedir(), `.${kind}`));
  try {
    return await importFrom(kind, directory, parsed);
  } catch (error) {
    const isExpected =
      error instanceof SourceError ||
      error instanceof IdentityError ||
      (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected || error instanceof UsageError) throw error;
    const isOfDirectory = error instanceof UnreadableSource && parsed.operands[1] === undefined;
    const hint = isOfDirectory ? `. "sd-gateway import ${kind} DIRECTORY" names another` : '';
    return refuse(commandStatus.failure, `${errorMessage(error)}. Nothing was written${hint}`);
  }
}

function gatewayOf({ operands, command }: ParsedCommand): OtherGateway {
  const [word = ''] = operands;
  if (word === 'hermes' || word === 'openclaw') return word;
  throw new UsageError(`GATEWAY is "hermes" or "openclaw", not "${word}"`, command.name);
}

function refuse(status: number, reason: string): number {
  process.stderr.write(`sd-gateway: ${printable(reason)}\n`);
  return status;
}

function say(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** All that is read as the owner of the directory. */
interface Reading {
  readonly takeover: Takeover;
  readonly signs: OwnSigns;
}

function readAsOwner(kind: OtherGateway, directory: string): Reading {
  return asOwnerOf(directory, (reachable) => {
    const source = new SourceDirectory(directory, reachable);
    const takeover = kind === 'hermes' ? takeHermes(source) : takeOpenClaw(source);
    return { takeover, signs: readSigns(kind, source) };
  });
}

/** The directory can't be taken over: another one may be meant. */
class UnreadableSource extends SourceError {}

function reading(kind: OtherGateway, directory: string): Reading {
  try {
    return readAsOwner(kind, directory);
  } catch (error) {
    const isExpected = error instanceof SourceError || error instanceof IdentityError;
    if (!isExpected && (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UnreadableSource(errorMessage(error), { cause: error });
  }
}

async function importFrom(kind: OtherGateway, directory: string, parsed: ParsedCommand): Promise<number> {
  const { file, environment } = await locateGateway(parsed);
  const isTrial = parsed.flags.has('dry-run');
  if (existsSync(file.path) && !isTrial) {
    say(presentLine(file.path));
    if (!parsed.flags.has('force')) {
      return refuse(
        commandStatus.failure,
        'nothing was changed. With --force it is kept under another name; --dry-run shows the tables to copy into it',
      );
    }
  }
  const { takeover, signs } = reading(kind, directory);
  const scope = scopeOf(parsed);
  const agent = agentOf(kind, directory, scope, environment, takeover);
  const placed = takeover.channels.map((channel) =>
    placeSecrets(channel, dirname(file.path), instanceOf(parsed)),
  );
  sayTaken(titles[kind], directory, takeover);
  if (placed.length === 0) {
    return refuse(commandStatus.failure, 'there is no channel to take over. Nothing was written');
  }
  const listen = await listenFor(parsed, file.path);
  const tables: readonly WrittenTable[] = [
    ...(listen === null ? [] : [{ path: ['http'], values: { listen } }]),
    { path: ['agent'], values: agent },
    ...placed.map(({ table }) => table),
  ];
  const text = commentedConfiguration(tables, 'import');
  // No one else's words make a configuration that the gateway does not start with.
  configurationSchema.parse(readToml(text).values);
  const secrets = placed.flatMap((each) => each.secrets);
  const fresh = secrets.filter((secret) => !isThere(secret));
  say(`\n${text}`);
  for (const { path } of secrets) say(`And a secret, for its owner alone: ${path}`);
  if (isTrial) say('Nothing was written, as --dry-run says.');
  else await write({ path: file.path, text, fresh }, parsed);
  await sayRunning(kind, directory, signs, takeover, agent['type'] === 'acp');
  const files = secrets.map(({ path }) => path);
  if (!isTrial) await sayNext(file.path, files, parsed);
  return commandStatus.success;
}

/** The agent, where this gateway can run it: a unit of the system has a user of its own, who has no login of it. */
function agentOf(
  kind: OtherGateway,
  directory: string,
  scope: Scope,
  environment: NodeJS.ProcessEnv,
  takeover: Takeover,
): Readonly<Record<string, unknown>> {
  const page = `docs/agents/${kind}.md`;
  const echo = { type: 'echo' };
  if (scope === 'system') {
    takeover.leave(
      'the agent',
      `${titles[kind]} keeps its login and its memory in ${directory}, which the unit’s user can't read: ${page} and docs/agents/own-user.md say how it becomes the agent`,
    );
    return echo;
  }
  const program = findProgram(kind, directory, environment['PATH'] ?? '');
  if (program === null) {
    takeover.leave('the agent', `the program ${kind} is not found: ${page} says how it becomes the agent`);
    return echo;
  }
  const variable = kind === 'hermes' ? 'HERMES_HOME' : 'OPENCLAW_STATE_DIR';
  const isUsual = directory === join(homedir(), `.${kind}`);
  return {
    type: 'acp',
    command: [...(isUsual ? [] : ['/usr/bin/env', `${variable}=${directory}`]), program, 'acp'],
    env: ['HOME', 'PATH'],
    timeout: '30min',
  };
}

interface PlacedChannel {
  readonly table: WrittenTable;
  readonly secrets: readonly NewSecret[];
}

/** Gives each secret a file in the directory of the configuration. Instances share it, and each has a user of its own. */
function placeSecrets(
  { name, values, secrets }: TakenChannel,
  directory: string,
  instance: string | null,
): PlacedChannel {
  const stem = [name, ...(instance === null ? [] : [instance])].join('-');
  const files = secrets.map(({ key, text }) => ({
    key,
    secret: { path: resolve(directory, `${stem}.${kinds[key]}`), text },
  }));
  const { type, ...others } = values;
  const named = Object.fromEntries(files.map(({ key, secret }) => [key, secret.path]));
  return {
    table: { path: ['channels', name], values: { type, ...named, ...others } },
    secrets: files.map(({ secret }) => secret),
  };
}

/** True: the very secret is there. Throws a SourceError if another one is. */
function isThere({ path, text }: NewSecret): boolean {
  if (!existsSync(path)) return false;
  let present: string | null;
  try {
    present = readChannelSecret({ name: 'import', token_file: path, token_credential: null }, null);
  } catch (error) {
    throw new SourceError(errorMessage(error), { cause: error });
  }
  if (present === text.trim()) return true;
  throw new SourceError(`another secret is in ${path} already: move it away first`);
}

interface Written {
  readonly path: string;
  readonly text: string;
  /** Secrets whose files are not there yet. */
  readonly fresh: readonly NewSecret[];
}

async function write({ path, text, fresh }: Written, parsed: ParsedCommand): Promise<void> {
  const { configurationMode } = await import('../install/facts.js');
  const mode = configurationMode(scopeOf(parsed));
  const kept = writeNewFiles({ configuration: { path, text, mode }, secrets: fresh }, new Date());
  if (kept !== null) say(`Kept what was there as ${kept}`);
  say(`Wrote ${[path, ...fresh.map((secret) => secret.path)].join(', ')}`);
}

/** Gives the secrets to the user of a unit that is there, and names the command that puts all into force. */
async function sayNext(path: string, secretFiles: readonly string[], parsed: ParsedCommand): Promise<void> {
  const steps = new NextSteps(parsed, say);
  steps.sayCommand(await steps.presentUnit(path, secretFiles), secretFiles);
  say(`Then look if all is well: ${steps.command('doctor')}`);
}

function sayTaken(title: string, directory: string, { channels, left, remarks }: Takeover): void {
  const names = channels.map(({ name, values }) => `${name} (${peopleIn(values)})`);
  say(`From ${title} in ${directory}: ${names.length === 0 ? 'no channel' : names.join(', ')}.`);
  const isOwned = channels.every(({ values }) => 'owners' in values);
  for (const remark of remarks) say(remark);
  if (!isOwned) {
    say('A channel without owners has nobody who decides what the agent may do: set owners = ["ID"] there.');
  }
  if (left.length === 0) return;
  say('\nNot taken over:');
  for (const { key, reason } of left) say(`- ${key}: ${reason}`);
}

function peopleIn(values: Readonly<Record<string, unknown>>): string {
  const people = [values['allow'], values['owners']].flatMap((list) => (Array.isArray(list) ? list : []));
  if (people.includes('*')) return 'everybody may write';
  const count = people.length;
  return count === 0 ? 'nobody may write yet' : `${count} ${count === 1 ? 'person' : 'people'} may write`;
}

/** Says that the other gateway has to be stopped, with the command if it seems to run. */
async function sayRunning(
  kind: OtherGateway,
  directory: string,
  signs: OwnSigns,
  { channels }: Takeover,
  isAgent: boolean,
): Promise<void> {
  const title = titles[kind];
  const why = 'since both would ask the same bots for their messages';
  if (kind === 'openclaw' && isAgent) {
    const off = channels.map(({ values }) => `openclaw config set channels.${values.type}.enabled false`);
    say(
      `\nBefore this gateway starts, switch the channels of ${title} off, ${why}: ${[...new Set(off)].join(' && ')}`,
    );
    say(`Its gateway itself has to run: "openclaw acp" asks it (docs/agents/openclaw.md).`);
    return;
  }
  const running = await findRunning(kind, directory, signs);
  if (running === null) {
    say(`\n${title} does not seem to run. Leave it stopped, ${why}.`);
    return;
  }
  say(
    `\n${title} still runs (${running.sign}). Stop it before this gateway starts, ${why}: ${running.command}`,
  );
}
