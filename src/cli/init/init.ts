import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage } from '../../text/failure-text.js';
import { ownCommand } from '../../text/own-command.js';
import { unitUser } from '../../units/unit-user.js';
import { instanceOf, locateGateway, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { printable, terminalOf } from '../terminal.js';
import { findCommand, type ParsedCommand, parseCommand, UsageError } from '../usage.js';
import { type Answers, configurationOf } from './answers.js';
import { AnswerError, type Asker, InterruptedError, OptionAsker, TerminalAsker } from './asker.js';
import type { NewSecret } from './channel-questions.js';
import { NextSteps } from './next-steps.js';
import { listenFor, presentLine } from './present.js';
import { Interview } from './questions.js';
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
  private readonly steps: NextSteps;

  constructor(
    private readonly parsed: ParsedCommand,
    private readonly asker: Asker,
  ) {
    this.steps = new NextSteps(parsed, (text) => asker.say(text));
  }

  async run(): Promise<number> {
    const { parsed, asker } = this;
    const { file, environment } = await locateGateway(parsed);
    const force = parsed.flags.has('force');
    if (existsSync(file.path)) {
      asker.say(presentLine(file.path));
      if (!force && !asker.isTerminal) {
        return refuse(
          commandStatus.failure,
          `nothing was changed: edit it, and run "${ownCommand('check-config')}". With --force it is kept under another name`,
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
    const listen = await listenFor(parsed, file.path);
    return this.#write(file.path, { agent, channel, publicUrl, listen }, questions.secrets);
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
    const { channel } = answers;
    const status = await this.#putIntoForce(path, channel?.secretFiles ?? []);
    this.#sayNext(answers);
    return status;
  }

  /** Has the unit run with the configuration if that is wanted; its user gets the secret before. */
  async #putIntoForce(path: string, secretFiles: readonly string[]): Promise<number> {
    const { parsed, asker, steps } = this;
    const unit = await steps.presentUnit(path, secretFiles);
    const action = unit?.isUp === true ? 'restart' : 'start';
    const question =
      unit === null ? 'Install the systemd unit, and start it?' : `Have ${unit.name} ${action} with it?`;
    if (!parsed.flags.has('install') && !(asker.isTerminal && (await asker.confirm(question, true)))) {
      steps.sayCommand(unit, secretFiles);
      return commandStatus.success;
    }
    asker.close();
    // A unit of a package, or one that was edited by hand, stays as it is.
    if (unit === null || unit.isInstalled) {
      const { run } = await import('../install/install.js');
      const installed = await run(parseCommand(findCommand('install'), [...steps.words(), '--yes']), false);
      if (installed !== commandStatus.success) return installed;
    }
    if (unit === null) await steps.give(secretFiles, unitUser(instanceOf(parsed)));
    const { operations } = await import('../operate/operate.js');
    return operations[action](parseCommand(findCommand(action), steps.targetWords()));
  }

  #sayNext({ channel, publicUrl }: Answers): void {
    const { asker } = this;
    const command = (name: string, ...words: readonly string[]) => this.steps.command(name, ...words);
    if (channel !== null) asker.say(channel.next({ publicUrl, command }));
    if (channel?.takesWebhooks !== false) asker.say(`Then try it: ${command('send', 'Hello')}`);
  }
}
