import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AgentFinding } from '../../agents/agent-finding.js';
import { trialOf, tryAgent } from '../../agents/try-agent.js';
import { agentTable } from '../../config/agent-table.js';
import { publicUrl } from '../../config/values.js';
import { programIn } from '../../doctor/facts/agents.js';
import { managerPath } from '../../doctor/facts/unit.js';
import { ownCommand } from '../../text/own-command.js';
import { shellCommand, wordsOf } from '../../text/shell-words.js';
import { UsageError } from '../usage.js';
import type { AgentAnswer, ChannelAnswer } from './answers.js';
import { AnswerError, InterruptedError, takesAnyway } from './asker.js';
import {
  ChannelQuestions,
  type ChannelSurroundings,
  type NewSecret,
  type OfferedChannel,
} from './channel-questions.js';
import { discordChannel } from './discord.js';
import { emailChannel } from './email.js';
import { matrixChannel } from './matrix.js';
import { slackChannel } from './slack.js';
import { telegramChannel } from './telegram.js';
import { webhookChannels } from './webhooks.js';

/** An entry for each channel that is offered, in the order in which they are shown. */
const offeredChannels: readonly OfferedChannel[] = [
  telegramChannel,
  slackChannel,
  discordChannel,
  matrixChannel,
  emailChannel,
  ...webhookChannels,
];

/** Options that answer the questions about an agent, and its types that have these. */
const typesOfOption: Readonly<Record<string, readonly string[]>> = {
  command: ['command', 'acp'],
  'base-url': ['openai'],
  model: ['openai'],
  'key-file': ['openai'],
};

/** The same of channels. */
const channelsOfOption: Readonly<Record<string, readonly string[]>> = {
  'app-token-file': ['slack'],
  homeserver: ['matrix'],
  address: ['email'],
  imap: ['email'],
  lmtp: ['email'],
  smtp: ['email'],
  'authserv-id': ['email'],
};

/** Asks, and tries each answer. Nothing is written. */
export class Interview {
  readonly #options: ChannelSurroundings;
  readonly #channelQuestions: ChannelQuestions;

  constructor(options: ChannelSurroundings) {
    this.#options = options;
    this.#channelQuestions = new ChannelQuestions(options);
  }

  /** Secrets that were typed or made. */
  get secrets(): readonly NewSecret[] {
    return this.#channelQuestions.secrets;
  }

  async agent(): Promise<AgentAnswer> {
    const { asker } = this.#options;
    const type = await asker.ask({
      option: 'agent',
      text: 'Which agent answers?',
      byDefault: 'echo',
      choices: [
        ['echo', 'replies with the message itself, to try the gateway'],
        ['command', 'a program that gets each message on its standard input, and prints the reply'],
        ['acp', 'an agent that speaks the Agent Client Protocol, such as "hermes acp"'],
        ['openai', 'a server of chat completions, such as Ollama, llama.cpp or a provider'],
      ],
    });
    this.#checkOptions('agent', typesOfOption, type);
    for (;;) {
      const answer = await this.#agentOf(type);
      if (answer !== null) return answer;
    }
  }

  /** Throws a UsageError for an option that answers nothing of what was chosen. */
  #checkOptions(of: 'agent' | 'channel', known: typeof typesOfOption, chosen: string): void {
    for (const [option, types] of Object.entries(known)) {
      if (types.includes(chosen) || this.#options.asker.given(option) === null) continue;
      throw new UsageError(`--${option} goes with --${of} ${types.join(' or ')}`, 'init');
    }
  }

  async #agentOf(type: string): Promise<AgentAnswer | null> {
    switch (type) {
      case 'command':
      case 'acp':
        return this.#program(type);
      case 'openai':
        return this.#modelServer();
      default:
        return { type };
    }
  }

  /** Null: it did not pass, and is asked for again. */
  async #program(type: 'command' | 'acp'): Promise<AgentAnswer | null> {
    const { asker } = this.#options;
    const example = type === 'acp' ? 'hermes acp' : '/usr/local/bin/my-agent';
    const text = await asker.ask({
      option: 'command',
      text: `The program and its arguments, such as "${example}":`,
    });
    const words = wordsOf(text);
    if (words === null) {
      const problem = `a quote of ${text} is not closed`;
      if (!asker.isTerminal) throw new AnswerError(problem);
      asker.say(problem);
      return null;
    }
    const [word, ...others] = words;
    if (word === undefined) throw new UsageError('--command names no program', 'init');
    const file = this.#find(word);
    if (file === null) {
      const problem = `the program ${word} is not there, or not in your PATH`;
      return (await this.#takesAnyway(problem)) ? { type, command: [word, ...others] } : null;
    }
    const answer = { type, command: [file, ...others] };
    if (!isExecutable(file)) {
      const problem = `the program ${file} can't be executed: ${shellCommand(['chmod', '+x', file])}`;
      return (await this.#takesAnyway(problem)) ? answer : null;
    }
    return (await this.#passes(answer)) ? answer : null;
  }

  /** The gateway has a PATH of its own: a program that only a shell would find is written with its whole path. */
  #find(word: string): string | null {
    if (word.includes('/')) return existsSync(word) ? resolve(word) : null;
    if (programIn(word, managerPath) !== null) return word;
    return programIn(word, this.#options.environment['PATH'] ?? '');
  }

  async #modelServer(): Promise<AgentAnswer | null> {
    const { asker } = this.#options;
    const base_url = await asker.ask({
      option: 'base-url',
      text: 'The address of the server:',
      byDefault: 'http://127.0.0.1:11434/v1',
    });
    const model = await asker.ask({ option: 'model', text: 'The model, by its name there:' });
    const keyFile = await asker.ask({
      option: 'key-file',
      text: 'A file with the key, if there is one:',
      byDefault: '',
    });
    const answer = {
      type: 'openai',
      base_url,
      model,
      ...(keyFile === '' ? {} : { key_file: resolve(keyFile) }),
    };
    return (await this.#passes(answer)) ? answer : null;
  }

  /** Tries the agent for real, as doctor does. */
  async #passes(answer: AgentAnswer): Promise<boolean> {
    const { asker, environment, scope } = this.#options;
    const checked = agentTable.safeParse(answer);
    if (!checked.success) {
      const problems = checked.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
      // No gateway starts with it, so there is no taking it anyway.
      if (!asker.isTerminal) throw new AnswerError(problems.join('; '));
      asker.say(`It can't be used: ${problems.join('; ')}`);
      return false;
    }
    const trial = trialOf(checked.data);
    if (trial === 'none') return true;
    if (trial === 'start' && scope === 'system') {
      asker.say(
        `It is not started here, as the gateway runs it as another user: "${ownCommand('doctor')}" tries it.`,
      );
      return true;
    }
    asker.say('Trying it…');
    const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-init-'));
    let finding: AgentFinding | null;
    try {
      finding = await tryAgent(checked.data, { directory, environment }, asker.interrupted);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    if (asker.interrupted.aborted) throw new InterruptedError();
    if (finding === null) return true;
    const { verdict } = finding;
    if (verdict === 'problem') return this.#takesAnyway(findingText(finding));
    asker.say(`${verdict === 'ok' ? '✓' : '!'} ${findingText(finding)}`);
    return true;
  }

  async channel(): Promise<ChannelAnswer | null> {
    const { asker } = this.#options;
    const choice = await asker.ask({
      option: 'channel',
      text: 'By which channel do messages come, beside HTTP?',
      byDefault: 'none',
      choices: [
        ['none', 'HTTP alone'],
        ...offeredChannels.map((offered) => [offered.choice, offered.meaning] as const),
      ],
    });
    this.#checkOptions('channel', channelsOfOption, choice);
    const offered = offeredChannels.find((each) => each.choice === choice);
    if (offered === undefined) {
      const extra = ['secret-file', 'owners', 'api-root', 'public-url'].find(
        (option) => asker.given(option) !== null,
      );
      if (extra !== undefined) throw new UsageError(`--${extra} goes with --channel TYPE`, 'init');
      return null;
    }
    for (;;) {
      const answer = await offered.ask(this.#channelQuestions);
      if (answer !== null) return answer;
    }
  }

  async publicUrl(): Promise<string | null> {
    const { asker } = this.#options;
    for (;;) {
      const answer = await asker.ask({
        option: 'public-url',
        text: 'The URL by which the platform reaches the gateway, such as https://gateway.example.org (empty: later):',
        byDefault: '',
      });
      if (answer === '') return null;
      const { success, data } = publicUrl.safeParse(answer);
      if (success) return data;
      const problem = `"${answer}" is not the URL of a server`;
      if (!asker.isTerminal) throw new AnswerError(problem);
      asker.say(problem);
    }
  }

  #takesAnyway(problem: string): Promise<boolean> {
    const { asker, force } = this.#options;
    return takesAnyway(asker, force, problem);
  }
}

/** True if it may be executed by somebody: a name without a path was found as such. */
function isExecutable(file: string): boolean {
  return !file.includes('/') || (statSync(file).mode & 0o111) !== 0;
}

/** One line, without a full stop. */
function findingText({ text, mend, command }: AgentFinding): string {
  const advice = [mend, command === undefined ? null : shellCommand(command)].filter((part) => part !== null);
  return [text.replace(/\.$/, ''), ...(advice.length === 0 ? [] : [advice.join(': ')])].join('. ');
}
