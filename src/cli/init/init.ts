import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigurationError } from '../../config/configuration-error.js';
import { loadConfiguration } from '../../config/load.js';
import { type Configuration, configurationSchema } from '../../config/schema.js';
import { writtenAddress } from '../../config/values.js';
import { errorMessage } from '../../text/failure-text.js';
import { shellCommand } from '../../text/shell-words.js';
import { unitUser, userExists } from '../../units/unit-user.js';
import { instanceOf, locateGateway, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { printable, terminalOf } from '../terminal.js';
import { findCommand, type ParsedCommand, parseCommand, UsageError } from '../usage.js';
import { type Answers, configurationOf } from './answers.js';
import { AnswerError, type Asker, InterruptedError, OptionAsker, TerminalAsker } from './asker.js';
import type { NewSecret } from './channel-questions.js';
import { Interview } from './questions.js';
import { findPresentUnit, giveSecret, isRoots, type PresentUnit } from './unit.js';
import { writeNewFiles } from './write.js';

/** Asks a few questions, and writes a configuration and its secrets. */
export async function init(parsed: ParsedCommand): Promise<number> {
  if (scopeOf(parsed) === 'system' && process.getuid?.() !== 0) {
    return refuse(
      commandStatus.noPermission,
      'only root can write the configuration of the system: use sudo, or leave --system out for a gateway of your own',
    );
  }
  const asker = askerOf(parsed);
  try {
    return await new Init(parsed, asker).run();
  } catch (error) {
    if (error instanceof InterruptedError) {
      process.stderr.write('\nsd-gateway: nothing was written\n');
      return commandStatus.interrupted;
    }
    const isExpected = error instanceof AnswerError || (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected || error instanceof UsageError) throw error;
    return refuse(commandStatus.failure, `${errorMessage(error)}. Nothing was written`);
  } finally {
    asker.close();
  }
}

function askerOf(parsed: ParsedCommand): Asker {
  const { values, flags, command } = parsed;
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true && !flags.has('yes');
  if (!isTerminal) return new OptionAsker({ values, command: command.name });
  return new TerminalAsker({ values, command: command.name, terminal: terminalOf(parsed) });
}

function refuse(status: number, reason: string): number {
  process.stderr.write(`sd-gateway: ${printable(reason)}\n`);
  return status;
}

class Init {
  constructor(
    private readonly parsed: ParsedCommand,
    private readonly asker: Asker,
  ) {}

  async run(): Promise<number> {
    const { parsed, asker } = this;
    const { file, environment } = await locateGateway(parsed);
    const force = parsed.flags.has('force');
    if (existsSync(file.path)) {
      asker.say(presentLine(file.path));
      if (!force && !asker.isTerminal) {
        return refuse(
          commandStatus.failure,
          `nothing was changed: edit it, and run "sd-gateway check-config". With --force it is kept under another name`,
        );
      }
      if (!force && !(await asker.confirm('Keep it under another name, and write a new one?', false))) {
        asker.say('Nothing was changed.');
        return commandStatus.success;
      }
    }
    const questions = new Interview({
      asker,
      directory: dirname(file.path),
      instance: instanceOf(parsed),
      environment,
      force,
      scope: scopeOf(parsed),
    });
    const agent = await questions.agent();
    const channel = await questions.channel();
    const publicUrl = channel?.takesWebhooks === true ? await questions.publicUrl() : null;
    const listen = await this.#listen(file.path);
    return this.#write(file.path, { agent, channel, publicUrl, listen }, questions.secrets);
  }

  /** The address that is configured already or, for a new gateway, the first port that nobody has; null: the default. */
  async #listen(path: string): Promise<string | null> {
    const usual = configurationSchema.parse({}).http.listen;
    const present = configurationAtPath(path);
    if (present !== null && !(present instanceof ConfigurationError)) {
      const { listen } = present.http;
      return writtenAddress(listen) === writtenAddress(usual) ? null : writtenAddress(listen);
    }
    if (usual.kind !== 'tcp') return null;
    const { portForNew } = await import('../install/facts.js');
    const port = await portForNew(instanceOf(this.parsed), path, usual.port);
    return port === usual.port ? null : writtenAddress({ ...usual, port });
  }

  async #write(path: string, answers: Answers, secrets: readonly NewSecret[]): Promise<number> {
    const { asker } = this;
    const text = configurationOf(answers);
    asker.say(`\n${text}`);
    for (const secret of secrets) asker.say(`And a secret, for its owner alone: ${secret.path}`);
    if (!(await asker.confirm(`Write ${path}?`, true))) {
      asker.say('Nothing was written.');
      return commandStatus.success;
    }
    const { configurationMode } = await import('../install/facts.js');
    const mode = configurationMode(scopeOf(this.parsed));
    const kept = writeNewFiles({ configuration: { path, text, mode }, secrets }, new Date());
    if (kept !== null) asker.say(`Kept what was there as ${kept}`);
    asker.say(`Wrote ${[path, ...secrets.map((secret) => secret.path)].join(', ')}`);
    const status = await this.#putIntoForce(path, answers.channel?.secretFile ?? null);
    this.#sayNext(answers);
    return status;
  }

  /** Has the unit run with the configuration if that is wanted; its user gets the secret before. */
  async #putIntoForce(path: string, secretFile: string | null): Promise<number> {
    const { parsed, asker } = this;
    const unit = await findPresentUnit(parsed, path);
    if (unit?.user && (await userExists(unit.user))) await this.#give(secretFile, unit.user);
    const action = unit?.isUp === true ? 'restart' : 'start';
    const question =
      unit === null ? 'Install the systemd unit, and start it?' : `Have ${unit.name} ${action} with it?`;
    if (!parsed.flags.has('install') && !(asker.isTerminal && (await asker.confirm(question, true)))) {
      this.#sayCommand(unit, secretFile);
      return commandStatus.success;
    }
    asker.close();
    // A unit of a package, or one that was edited by hand, stays as it is.
    if (unit === null || unit.isInstalled) {
      const { run } = await import('../install/install.js');
      const installed = await run(parseCommand(findCommand('install'), [...this.#words(), '--yes']));
      if (installed !== commandStatus.success) return installed;
    }
    if (unit === null) await this.#give(secretFile, unitUser(instanceOf(parsed)));
    const { operations } = await import('../operate/operate.js');
    return operations[action](parseCommand(findCommand(action), this.#targetWords()));
  }

  async #give(secretFile: string | null, user: string): Promise<void> {
    if (secretFile === null || scopeOf(this.parsed) === 'user') return;
    if (await giveSecret(secretFile, user))
      this.asker.say(`Gave ${secretFile} to ${user}, as whom the gateway runs`);
  }

  /** Names the command that puts the configuration into force. */
  #sayCommand(unit: PresentUnit | null, secretFile: string | null): void {
    const { parsed, asker } = this;
    if (unit !== null) {
      const words = ['sd-gateway', unit.isUp ? 'reload' : 'start', ...this.#targetWords()];
      asker.say(`Next: "${shellCommand(words)}".`);
      return;
    }
    if (scopeOf(parsed) === 'user' || secretFile === null || !isRoots(secretFile)) {
      const install = this.#command('install', '--now');
      asker.say(`Next: "${install}", or "${this.#command('run')}" in the foreground.`);
      return;
    }
    // The unit of the system has a user of its own, who has to be there before a secret can be given to it.
    const give = shellCommand(['chown', `${unitUser(instanceOf(parsed))}:`, secretFile]);
    const start = shellCommand(['sd-gateway', 'start', ...this.#targetWords()]);
    asker.say(`Next: "${this.#command('install')} && ${give} && ${start}".`);
  }

  #sayNext({ channel, publicUrl }: Answers): void {
    const { asker } = this;
    const command = (name: string, ...words: readonly string[]) => this.#command(name, ...words);
    if (channel !== null) asker.say(channel.next({ publicUrl, command }));
    if (channel?.takesWebhooks !== false) asker.say(`Then try it: ${command('send', 'Hello')}`);
  }

  #targetWords(): readonly string[] {
    const { values, flags } = this.parsed;
    const { instance } = values;
    return [
      ...['user', 'system'].filter((flag) => flags.has(flag)).map((flag) => `--${flag}`),
      ...(instance === undefined ? [] : ['--instance', instance]),
    ];
  }

  #words(): readonly string[] {
    const { config } = this.parsed.values;
    return [...this.#targetWords(), ...(config === undefined ? [] : ['--config', config])];
  }

  #command(name: string, ...words: readonly string[]): string {
    // In the foreground there is no unit whose scope could be named.
    const own = this.#words().filter((word) => name !== 'run' || !['--user', '--system'].includes(word));
    return shellCommand(['sd-gateway', name, ...own, ...words]);
  }
}

/** Says in one line what the configuration has that is there. */
function presentLine(path: string): string {
  const present = configurationAtPath(path);
  if (present instanceof ConfigurationError) {
    return `There is a configuration in ${path}, which can't be used: ${present.problems[0]?.message ?? 'it is damaged'}.`;
  }
  return `There is a configuration in ${path}: ${present === null ? 'nothing' : summaryOf(present)}.`;
}

/** Null: there is none. */
function configurationAtPath(path: string): Configuration | ConfigurationError | null {
  if (!existsSync(path)) return null;
  try {
    return loadConfiguration({ file: path, required: true, environment: {} }).configuration;
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
}

function summaryOf({ agents, channels }: Configuration): string {
  const named = (what: string, tables: Readonly<Record<string, { readonly type: string }>>) => {
    const each = Object.entries(tables).map(([name, { type }]) => `${name} (${type})`);
    return `${what} ${each.length === 0 ? 'none' : each.join(', ')}`;
  };
  return `${named('agents', agents)}; ${named('channels', channels)}`;
}
