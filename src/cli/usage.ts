import { parseArgs } from 'node:util';
import { nearest } from '../config/configuration-error.js';
import { clientCommands } from './client/commands.js';
import {
  type CommandDescription,
  commandStatus,
  commonOptions,
  configurationOption,
  configurationStatus,
  instanceOption,
  jsonOption,
  type OptionDescription,
  unitOptions,
  usageStatus,
} from './command.js';
import { importCommands } from './import/commands.js';
import { initCommands } from './init/commands.js';
import { installCommands } from './install/commands.js';
import { operateCommands } from './operate/commands.js';
import { scheduleCommands } from './schedule/commands.js';

/** All commands, in the order of the help. */
export const commands: readonly CommandDescription[] = [
  {
    name: 'run',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Run the gateway in the foreground, as a unit of systemd does.',
    description: [
      'Serves until the service manager, Ctrl-C, or "sd-gateway stop" stops it. Tells systemd when it is ready, what it is at, and when it stops.',
    ],
    options: [
      configurationOption,
      instanceOption,
      {
        name: 'takeover',
        summary: 'If another gateway has the directories or the database, stop it, and go on with its work.',
      },
    ],
    exitStatuses: [
      [commandStatus.success, 'A planned stop.'],
      [commandStatus.failure, 'A crash, a failed start, or a kill by somebody who is not the supervisor.'],
      usageStatus,
      [commandStatus.restart, 'A restart was asked for.'],
      configurationStatus,
      [commandStatus.interrupted, 'Ended at once by a second Ctrl-C.'],
    ],
    examples: ['sd-gateway run', 'SD_GATEWAY_HTTP_LISTEN=127.0.0.1:9000 sd-gateway run --instance test'],
  },
  ...clientCommands,
  ...initCommands,
  ...importCommands,
  ...installCommands,
  ...operateCommands,
  ...scheduleCommands,
  {
    name: 'store',
    operands: 'ACTION [FILE]',
    operandCount: { least: 1, most: 2 },
    summary: 'Check, copy, export, import or recover the messages in the store.',
    description: [
      'ACTION is "check", "backup FILE", "export [FILE]", "import FILE" or "recover".',
      '"check", "backup" and "export" work while the gateway runs. "export" writes lines of JSON, to standard output without FILE. "import" adds them to the store, all or none. It reads standard input for FILE "-".',
      '"recover" puts what can be read of a damaged database into a new one, and keeps the damaged files aside. It asks first if the database is sound. It and "import" need the gateway to be stopped.',
    ],
    options: [
      configurationOption,
      ...unitOptions,
      { name: 'yes', summary: 'Recover a sound database without asking.' },
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'It is done; the database is sound; nothing was lost.'],
      [
        commandStatus.failure,
        'It could not be done; the database is damaged; or "recover" could not save all. The output says more.',
      ],
      usageStatus,
      configurationStatus,
    ],
    examples: [
      'sd-gateway store backup /var/backups/gateway.db',
      'sd-gateway store export | gzip > messages.jsonl.gz',
    ],
  },
  {
    name: 'check-config',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Read the configuration and print its problems, or the settings in force.',
    description: [
      'Names the problems with their lines. Some show only when others are mended. Prints a configuration that can be used as it is in force: the file, the environment and the defaults taken together.',
    ],
    options: [configurationOption, ...unitOptions, jsonOption],
    exitStatuses: [[commandStatus.success, 'It can be used.'], usageStatus, configurationStatus],
    examples: ['sd-gateway check-config', 'sd-gateway check-config --config ./sd-gateway.toml --json'],
  },
  {
    name: 'channel',
    operands: 'test PROGRAM [WORD…]',
    operandCount: { least: 1, most: 1_000 },
    summary: 'Try a program as a channel: it is killed, paused and told what it does not know.',
    description: [
      'Runs the program as a gateway would, and checks that it keeps to the protocol of docs/channels/protocol.md. No gateway is needed. Put "--" before PROGRAM, so that its options are its own.',
      'With --to it is told to send test messages. With --wait somebody is asked to write to the channel: the program is killed before the message is stored, and the message must come again.',
    ],
    options: [
      { name: 'to', value: 'CHAT', summary: 'Send test messages to this chat.' },
      { name: 'wait', value: 'TIME', summary: 'Longest wait for a message to the channel, such as "30s".' },
      {
        name: 'token-file',
        value: 'FILE',
        summary: 'The secret of the channel, which nobody else may read (mode 0600).',
      },
      {
        name: 'env',
        value: 'NAME',
        isRepeatable: true,
        summary: 'A variable of this environment that the program gets.',
      },
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'It passed: no check has failed.'],
      [commandStatus.failure, 'A check has failed, or the program could not be started.'],
      usageStatus,
    ],
    examples: [
      'sd-gateway channel test -- /usr/local/bin/my-channel',
      'sd-gateway channel test --to dev --wait 30s -- python3 channel.py /srv/chats ada',
    ],
  },
  {
    name: 'completion',
    operands: 'SHELL',
    operandCount: { least: 1, most: 1 },
    summary: 'Print the completion for bash, zsh or fish.',
    description: ['Made from the same list of commands and options as this help.'],
    options: [],
    exitStatuses: [[commandStatus.success, 'It was printed.'], usageStatus],
    examples: ['source <(sd-gateway completion bash)', 'sd-gateway completion fish | source'],
  },
];

/** The command line is wrong; exit status 64. */
export class UsageError extends Error {
  /** The command whose help may help; null when it isn't known which. */
  readonly command: string | null;

  constructor(message: string, command: string | null) {
    super(message);
    this.name = 'UsageError';
    this.command = command;
  }
}

export interface ParsedCommand {
  readonly command: CommandDescription;
  /** Options with a value. */
  readonly values: Readonly<Record<string, string>>;
  /** Options that may be given more than once. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly flags: ReadonlySet<string>;
  readonly operands: readonly string[];
}

/** Finds a command by its name. Throws a UsageError that names the nearest one. */
export function findCommand(name: string): CommandDescription {
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const meant = nearest(name, ['help', ...commands.map((candidate) => candidate.name)]);
  throw new UsageError(
    `unknown command "${name}"${meant === null ? '' : `; did you mean "${meant}"?`}`,
    null,
  );
}

/** The action that the first operand names. Throws a UsageError that names the nearest one. */
export function actionOf<Action extends string>(
  { command, operands }: ParsedCommand,
  actions: readonly Action[],
  byDefault: Action | '' = '',
): Action {
  const [word = byDefault] = operands;
  const action = actions.find((candidate) => candidate === word);
  if (action !== undefined) return action;
  const meant = nearest(word, actions);
  const hint = meant === null ? `it is one of ${actions.join(', ')}` : `did you mean "${meant}"?`;
  throw new UsageError(`unknown action "${word}"; ${hint}`, command.name);
}

function unknownOption(name: string, options: readonly OptionDescription[], command: string): UsageError {
  const meant = nearest(
    name,
    options.map((option) => option.name),
  );
  const written = name.length === 1 ? `-${name}` : `--${name}`;
  return new UsageError(
    `unknown option "${written}"${meant === null ? '' : `; did you mean "--${meant}"?`}`,
    command,
  );
}

/** Another way to ask for --json, for those who are used to it; not listed. */
const outputOption: OptionDescription = { name: 'output', short: 'o', value: 'FORMAT', summary: '' };

function noteOutput(format: string, flags: Set<string>, command: string): void {
  if (format === 'json') flags.add('json');
  else if (format !== 'text') {
    throw new UsageError(`--output is "json" or "text", not "${format}"`, command);
  }
}

/** Reads the words after the command's name. Throws a UsageError. */
export function parseCommand(command: CommandDescription, words: readonly string[]): ParsedCommand {
  const takesJson = command.options.some(({ name }) => name === 'json');
  const options = [...command.options, ...commonOptions, ...(takesJson ? [outputOption] : [])];
  const { tokens } = parseArgs({
    args: [...words],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      options.map(({ name, short, value }) => [
        name,
        {
          type: value === undefined ? 'boolean' : 'string',
          ...(short === undefined ? {} : { short }),
        } as const,
      ]),
    ),
  });
  const values: Record<string, string> = {};
  const lists: Record<string, string[]> = {};
  const flags = new Set<string>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = options.find(
      // An option --output of the command's own leaves -o to the format, unless it is -o, too.
      ({ name, short, value }) =>
        name === token.name && (value !== 'FILE' || token.rawName !== '-o' || short === 'o'),
    );
    if (option === undefined) throw unknownOption(token.name, options, command.name);
    if (option.value === undefined) {
      if (token.value !== undefined) throw new UsageError(`--${option.name} takes no value`, command.name);
      flags.add(option.name);
    } else {
      if (token.value === undefined)
        throw new UsageError(`--${option.name} needs ${option.value}`, command.name);
      if (option === outputOption) noteOutput(token.value, flags, command.name);
      else if (option.isRepeatable) lists[option.name] = [...(lists[option.name] ?? []), token.value];
      else values[option.name] = token.value;
    }
  }
  const { least, most } = command.operandCount;
  if (!flags.has('help') && operands.length < least) {
    throw new UsageError(`${command.operands} is missing`, command.name);
  }
  if (operands.length > most) {
    const hint = most === 1 ? ' (a text with blanks goes in quotes)' : '';
    throw new UsageError(`"${operands[most]}" is one word too many${hint}`, command.name);
  }
  return { command, values, lists, flags, operands };
}
