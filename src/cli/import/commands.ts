import {
  type CommandDescription,
  commandStatus,
  configurationOption,
  unitOptions,
  usageStatus,
} from '../command.js';

/** The command that takes over from another gateway. */
export const importCommands: readonly CommandDescription[] = [
  {
    name: 'import',
    operands: 'GATEWAY [DIRECTORY]',
    operandCount: { least: 1, most: 2 },
    summary: 'Take over the bots and the people of Hermes or OpenClaw.',
    description: [
      'GATEWAY is "hermes" or "openclaw". DIRECTORY is where it has its configuration: ~/.hermes or ~/.openclaw.',
      'Reads the tokens of Telegram, Discord, Slack, Matrix and e-mail, the lists of people and those who were paired. Writes a commented configuration, and each secret into a file for its owner alone. Says what it leaves, and why.',
      'Runs nothing that it finds there, follows no link, and reads as the owner of the directory. The other gateway is not stopped: stop it yourself before this one starts, since both would ask the same bot for its messages.',
      'A configuration that is there stays as it is: with --force it is kept under another name.',
    ],
    options: [
      { name: 'dry-run', summary: 'Show what would be written, without the secrets, and write nothing.' },
      ...unitOptions,
      configurationOption,
      { name: 'force', summary: 'Replace a configuration that is there.' },
    ],
    exitStatuses: [
      [commandStatus.success, 'It is written, or was shown.'],
      [
        commandStatus.failure,
        'There is nothing to take over, it can’t be read safely, or something is there already. Nothing was written.',
      ],
      usageStatus,
      [commandStatus.noPermission, 'Only root can write the configuration of the system.'],
    ],
    examples: [
      'sd-gateway import hermes --dry-run',
      'sd-gateway import openclaw',
      'sudo sd-gateway import hermes /home/ada/.hermes',
    ],
  },
];
