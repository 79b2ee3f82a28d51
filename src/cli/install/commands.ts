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
      'Renders the unit for this version of systemd, this Node.js and this configuration, has systemd-analyze check it, and enables it. A unit of the system gets a user of its own. If there is no configuration, writes one to begin with, in which everything is commented out.',
      'Run again, it updates the unit, shows the difference, and keeps the options of the time before. Without --force it leaves alone a unit that it did not write, or that was edited by hand. Use a drop-in for changes of your own.',
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
      { name: 'no-enable', summary: 'Don’t start it at boot, or at login.' },
      { name: 'now', summary: 'Start it, too; restart it, if it runs and its unit has changed.' },
      { name: 'print', summary: 'Print the unit and change nothing.' },
      { name: 'dry-run', summary: 'Print the steps and change nothing.' },
      { name: 'force', summary: 'Install even if something speaks against it, such as an edit by hand.' },
      { name: 'yes', summary: 'Enable linger for a user unit without asking.' },
      jsonOption,
    ],
    exitStatuses: [
      [commandStatus.success, 'The unit is installed.'],
      [
        commandStatus.failure,
        'It could not be installed, and all is as it was before; or, with --now, it doesn’t start.',
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
    summary: 'Stop and disable the unit, and remove the files that install wrote.',
    description: [
      'Keeps messages, token and configuration, unless --purge is given, now or later. Keeps drop-ins, and the user of a unit of the system.',
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
