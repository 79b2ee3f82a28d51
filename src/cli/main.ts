#!/usr/bin/env node
import type { ConfigurationError } from '../config/configuration-error.js';
import { programVersion } from '../version.js';
import { type CommandDescription, commandStatus } from './command.js';
import { commandHelp, programHelp } from './docs/help.js';
import { nameGivenGateway } from './given-gateway.js';
import { errorLine, printable } from './terminal.js';
import { findCommand, type ParsedCommand, parseCommand, UsageError } from './usage.js';

type Run = (parsed: ParsedCommand) => Promise<number>;

/** Each command is loaded when it is wanted, so that the others cost it nothing. */
const runners: Readonly<Record<string, () => Promise<Run>>> = {
  run: async () => {
    // The largest part of the program.
    (await import('./compiled-code.js')).useCompiledCode();
    const storeThread = (await import('../store/sqlite/thread/store-thread.js')).newStoreThread();
    const { run } = await import('./run.js');
    return (parsed) => run(parsed, storeThread);
  },
  send: async () => (await import('./client/send.js')).run,
  chat: async () => (await import('./client/chat.js')).chat,
  cancel: async () => (await import('./client/messages.js')).cancel,
  sessions: async () => (await import('./client/messages.js')).sessions,
  messages: async () => (await import('./client/messages.js')).messages,
  session: async () => (await import('./client/session.js')).session,
  route: async () => (await import('./client/session.js')).route,
  show: async () => (await import('./client/messages.js')).show,
  attachment: async () => (await import('./client/attachment.js')).attachment,
  token: async () => (await import('./client/tokens.js')).token,
  people: async () => (await import('./client/people.js')).people,
  dead: async () => (await import('./client/messages.js')).dead,
  approve: async () => (await import('./client/questions.js')).approve,
  deny: async () => (await import('./client/questions.js')).deny,
  store: async () => (await import('./store.js')).run,
  start: async () => (await import('./operate/operate.js')).operations.start,
  init: async () => (await import('./init/init.js')).init,
  import: async () => (await import('./import/import.js')).run,
  install: async () => (await import('./install/install.js')).run,
  uninstall: async () => (await import('./install/uninstall.js')).run,
  stop: async () => (await import('./operate/operate.js')).operations.stop,
  restart: async () => (await import('./operate/operate.js')).operations.restart,
  reload: async () => (await import('./operate/operate.js')).operations.reload,
  status: async () => (await import('./status/status.js')).run,
  logs: async () => (await import('./logs/logs.js')).run,
  doctor: async () => (await import('./doctor.js')).run,
  schedule: async () => (await import('./schedule/schedule.js')).schedule,
  diagnostics: async () => (await import('./diagnostics/diagnostics.js')).diagnostics,
  'check-config': async () => (await import('./check-config.js')).run,
  channel: async () => (await import('./channel/channel-test.js')).run,
  completion: async () => (await import('./docs/completion.js')).run,
};

/** They change something: who reads of it may have seen enough, but it is to be done as a whole. */
const changing = [
  'diagnostics',
  'init',
  'import',
  'install',
  'uninstall',
  'start',
  'stop',
  'restart',
  'reload',
  'chat',
  'cancel',
  'session',
  'approve',
  'deny',
];

function changesSomething({ command, operands: [action] }: ParsedCommand): boolean {
  return (
    changing.includes(command.name) ||
    (command.name === 'dead' && /^(retry|discard)$/.test(action ?? '')) ||
    (command.name === 'schedule' && /^(add|remove|post)$/.test(action ?? '')) ||
    (command.name === 'people' && /^(accept|forget)$/.test(action ?? '')) ||
    (command.name === 'token' && /^(add|revoke)$/.test(action ?? ''))
  );
}

/** A reader that has seen enough, as in "sd-gateway help | head", is no error. */
function onReaderGone(gone: () => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    gone();
  });
  // Standard error has only progress, or the reason of the exit status.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

function end(): never {
  process.exit(commandStatus.success);
}

function print(text: string): void {
  onReaderGone(end);
  process.stdout.write(text);
}

/** A terminal may not know its width, and say 0. */
function width(): number {
  return Math.min(process.stdout.columns || 80, 100);
}

async function perform(command: CommandDescription, words: readonly string[]): Promise<number> {
  const parsed = parseCommand(command, words);
  if (parsed.flags.has('help')) {
    print(commandHelp(command, width()));
    return commandStatus.success;
  }
  nameGivenGateway(parsed);
  // The gateway has nothing to say there, and its start is not to wait until Node.js has made the stream.
  if (command.name !== 'run') onReaderGone(changesSomething(parsed) ? () => undefined : end);
  const load = runners[command.name];
  if (load === undefined) throw new Error(`The command ${command.name} is described but not there.`);
  return (await load())(parsed);
}

async function main(words: readonly string[]): Promise<number> {
  const [first, ...rest] = words;
  switch (first) {
    case undefined:
      process.stderr.write(programHelp(width()));
      return commandStatus.usage;
    case '--version':
    case '-V':
    case '-v':
    case 'version':
      print(`sd-gateway ${programVersion()}\n`);
      return commandStatus.success;
    case '--help':
    case '-h':
    case 'help': {
      const [topic] = first === 'help' ? rest : [];
      const isAboutAll = topic === undefined || ['--help', '-h', 'help'].includes(topic);
      print(isAboutAll ? programHelp(width()) : commandHelp(findCommand(topic), width()));
      return commandStatus.success;
    }
  }
  if (first.startsWith('-')) {
    throw new UsageError(`"${first}" must come after a command, such as "sd-gateway run ${first}"`, null);
  }
  return perform(findCommand(first), rest);
}

function asksForJson(all: readonly string[]): boolean {
  const end = all.indexOf('--');
  const words = end === -1 ? all : all.slice(0, end);
  return words.some(
    (word, index) => /^--(json|output=json)$/.test(word) || (word === 'json' && words[index - 1] === '-o'),
  );
}

/**
 * Has a failure answered in JSON, too: gives what prints why, unless the command has printed something itself. The
 * reason is what it said on standard error.
 */
function answerInJson(): (status: number) => void {
  let said = '';
  let printed = false;
  const watch = (stream: NodeJS.WriteStream, onText: (text: string) => void) => {
    const write = stream.write.bind(stream) as (...parameters: unknown[]) => boolean;
    stream.write = (...parameters: unknown[]) => {
      onText(String(parameters[0]));
      return write(...parameters);
    };
  };
  watch(process.stdout, () => {
    printed = true;
  });
  watch(process.stderr, (text) => {
    said += text;
  });
  return (status) => {
    if (status === commandStatus.success || printed) return;
    const message = said.trim().replace(/^sd-gateway: /gm, '');
    process.stdout.write(errorLine(message, status));
  };
}

/** Says what went wrong on standard error; gives the exit status. */
function report(error: unknown): number {
  if (error instanceof UsageError) {
    const topic = error.command === null ? '' : ` ${error.command}`;
    process.stderr.write(`sd-gateway: ${printable(error.message)}\nTry "sd-gateway help${topic}".\n`);
    return commandStatus.usage;
  }
  // By its name: the gateway is bundled by itself, with a class of its own.
  if (error instanceof Error && error.name === 'ConfigurationError') {
    for (const { where, message } of (error as ConfigurationError).problems)
      process.stderr.write(`sd-gateway: ${printable(`${where}: ${message}`)}\n`);
    return commandStatus.configuration;
  }
  // By its name: most commands have no need of the addon's loader.
  if (error instanceof Error && error.name === 'NativeAddonError') {
    process.stderr.write(`sd-gateway: ${error.message}\n`);
    return commandStatus.failure;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`sd-gateway: ${printable(text)}\n`);
  return commandStatus.failure;
}

// Until it is known better: a command that nothing is left to wait for has not ended.
process.exitCode = commandStatus.failure;

// No await at the top level: the program is bundled as CommonJS (rolldown.config.ts).
const words = process.argv.slice(2);
const answered = asksForJson(words) ? answerInJson() : () => undefined;

main(words).then(
  (status) => {
    process.exitCode = status;
    answered(status);
  },
  (error: unknown) => {
    const status = report(error);
    process.exitCode = status;
    answered(status);
  },
);
