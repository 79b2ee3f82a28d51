import {
  type CommandDescription,
  commandStatus,
  configurationOption,
  configurationStatus,
  jsonOption,
  noUnitStatus,
  unitOptions,
  usageStatus,
  withinTurnStatus,
} from '../command.js';

/** The commands that write and remove a unit. */
export const installCommands: readonly CommandDescription[] = [
  {
    name: 'install',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Write a systemd unit for this machine, and enable it.',
    description: [
      'Renders the unit for this version of systemd, this Node.js and this configuration, has systemd-analyze check it, and enables it. A unit of the system gets a user of its own. Where there is no configuration it writes one to begin with, in which everything is commented out.',
      'Run again, it updates the unit, shows the difference, and keeps the options of the time before. A unit that it did not write, or that was edited by hand, is left alone without --force: use a drop-in for changes of your own.',
    ],
    options: [
      ...unitOptions,
      configurationOption,
      {
        name: 'environment-file',
        value: 'FILE',
        summary:
          'Variables for the gateway (systemd.exec(5)); sd-gateway.env beside the configuration by default.',
      },
      {
        name: 'run-as',
        value: 'USER',
        summary: 'The user that a unit of the system runs as, instead of one of its own.',
      },
      { name: 'no-enable', summary: 'Don’t have it started at boot, or at login.' },
      { name: 'now', summary: 'Start it, too; restart it, if it runs and its unit has changed.' },
      { name: 'print', summary: 'Print the unit and change nothing.' },
      { name: 'dry-run', summary: 'Say what would be done and change nothing.' },
      { name: 'force', summary: 'Install whatever speaks against it, such as an edit by hand.' },
      { name: 'yes', summary: 'Enable linger for a user unit without asking.' },
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'The unit is installed.'],
      [
        commandStatus.failure,
        'It could not be installed, and what was there before still is; or, with --now, it doesn’t start.',
      ],
      usageStatus,
      [commandStatus.unavailable, 'There is no systemd, or no service manager of this user.'],
      withinTurnStatus,
      configurationStatus,
    ],
    examples: [
      'sd-gateway install --now',
      'sudo sd-gateway install --system --instance test',
      'sd-gateway install --print',
    ],
  },
  {
    name: 'uninstall',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Stop and disable the unit, and remove what install wrote.',
    description: [
      'Messages, token and configuration are kept, unless --purge is given, now or later. Drop-ins are kept, and so is the user of a unit of the system.',
    ],
    options: [
      ...unitOptions,
      { name: 'purge', summary: 'Remove messages, token and configuration too; asks first.' },
      { name: 'yes', summary: 'Don’t ask.' },
      { name: 'force', summary: 'Remove a unit that was edited by hand, or written by something else.' },
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'It is removed.'],
      [commandStatus.failure, 'It could not be removed, or you said no.'],
      noUnitStatus,
      usageStatus,
      [commandStatus.unavailable, 'There is no systemd, or no service manager of this user.'],
      withinTurnStatus,
    ],
    examples: ['sd-gateway uninstall', 'sd-gateway uninstall --purge --yes'],
  },
];
