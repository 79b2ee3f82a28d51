import { clientCommands } from './client/commands.js';
import {
  type CommandDescription,
  commandStatus,
  configurationOption,
  configurationStatus,
  instanceOption,
  jsonOption,
  unitOptions,
  usageStatus,
} from './command.js';
import { installCommands } from './install/commands.js';
import { operateCommands } from './operate/commands.js';

/** All commands, in the order of the help. */
export const commands: readonly CommandDescription[] = [
  {
    name: 'run',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Run the gateway in the foreground, as a unit of systemd does.',
    description: [
      'Serves until it is stopped: by the service manager, by Ctrl-C, or by "sd-gateway stop". Tells systemd when it is ready, what it is at, and when it stops.',
    ],
    options: [
      configurationOption,
      instanceOption,
      {
        name: 'takeover',
        summary:
          'Where another gateway has the directories or the database: stop it, and go on with its work.',
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
  ...installCommands,
  ...operateCommands,
  {
    name: 'store',
    operands: 'ACTION [FILE]',
    operandCount: { least: 1, most: 2 },
    summary: 'Check, copy, export, import or recover the messages that are kept.',
    description: [
      'ACTION is "check", "backup FILE", "export [FILE]", "import FILE" or "recover".',
      '"check", "backup" and "export" work while the gateway runs. "export" writes lines of JSON, to standard output without FILE; "import" adds them to the store, all or none, from standard input for FILE "-".',
      '"recover" puts what can be read of a damaged database into a new one, and keeps the damaged files aside. It and "import" need the gateway to be stopped.',
    ],
    options: [configurationOption, ...unitOptions, jsonOption],
    exitStatuses: [
      [commandStatus.success, 'It is done; the database is sound; nothing was lost.'],
      [
        commandStatus.failure,
        'It could not be done; the database is damaged; or "recover" could not save all. What is printed says more.',
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
    summary: 'Read the configuration and say what is wrong with it, or what is in force.',
    description: [
      'Names every problem with its line. A configuration that can be used is printed as it is in force, with the file, the environment and the defaults taken together.',
    ],
    options: [configurationOption, ...unitOptions, jsonOption],
    exitStatuses: [[commandStatus.success, 'It can be used.'], usageStatus, configurationStatus],
    examples: ['sd-gateway check-config', 'sd-gateway check-config --config ./sd-gateway.toml --json'],
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
