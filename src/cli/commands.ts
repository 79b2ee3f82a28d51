import { exitStatus } from '../lifecycle/exit-status.js';

/** An option of a command; also the source of the help, and of whatever else lists the options. */
export interface OptionDescription {
  readonly name: string;
  readonly short?: string;
  /** The name of its value, such as "FILE"; a flag has none. */
  readonly value?: string;
  readonly summary: string;
}

export interface CommandDescription {
  readonly name: string;
  /** The words after the options, such as "TEXT". */
  readonly operands: string;
  /** Least and largest number of operands. */
  readonly operandCount: { readonly least: number; readonly most: number };
  readonly summary: string;
  readonly description: readonly string[];
  readonly options: readonly OptionDescription[];
  readonly exitStatuses: readonly (readonly [status: number, meaning: string])[];
  readonly examples: readonly string[];
}

/** Exit statuses of the commands besides the gateway's own, after sysexits.h. */
export const commandStatus = {
  ...exitStatus,
  /** LSB: the unit is there, and stopped. */
  notRunning: 3,
  /** LSB: there is no such unit. */
  noUnit: 4,
  /** EX_USAGE: the command line is wrong. */
  usage: 64,
  /** EX_UNAVAILABLE: no gateway answers. */
  unavailable: 69,
  /** EX_NOPERM: the token or the user is not accepted. */
  noPermission: 77,
} as const;

const instance: OptionDescription = {
  name: 'instance',
  value: 'NAME',
  summary: 'The instance of that name, with directories and a configuration of its own.',
};

const configuration: OptionDescription = {
  name: 'config',
  value: 'FILE',
  summary: 'The configuration file, instead of sd-gateway.toml in the configuration directory.',
};

const url: OptionDescription = {
  name: 'url',
  value: 'URL',
  summary: 'The gateway’s address: http://HOST:PORT or unix:/PATH.',
};

const json: OptionDescription = { name: 'json', summary: 'Print one JSON object instead of text.' };

const scope: readonly OptionDescription[] = [
  { name: 'user', summary: 'The unit of your own service manager; the default, unless you are root.' },
  { name: 'system', summary: 'The unit of the system’s service manager; the default for root.' },
];

/** Which unit an operator’s command is about. */
const unitOptions: readonly OptionDescription[] = [...scope, instance];

/** Options that every command takes. */
export const commonOptions: readonly OptionDescription[] = [
  { name: 'help', short: 'h', summary: 'Show the help and exit.' },
  { name: 'no-color', summary: 'No colours; as does the environment variable NO_COLOR.' },
];

const usageStatus = [commandStatus.usage, 'The command line is wrong.'] as const;
const configurationStatus = [commandStatus.configuration, 'The configuration can’t be used.'] as const;
const noUnitStatus = [commandStatus.noUnit, 'There is no such unit.'] as const;
const noPermissionStatus = [commandStatus.noPermission, 'Not allowed to this user.'] as const;
const withinTurnStatus = [
  commandStatus.noPermission,
  'Not allowed to this user, or asked for from within a turn that this gateway runs.',
] as const;
const otherScopeStatus = [
  commandStatus.noUnit,
  'The unit is one of the other scope; the command to type is printed.',
] as const;
const interruptedStatus = [
  commandStatus.interrupted,
  'Ctrl-C: no longer waited for; systemd goes on with it.',
] as const;
const unavailableStatus = [commandStatus.unavailable, 'No gateway answers.'] as const;

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
      configuration,
      instance,
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
  {
    name: 'send',
    operands: 'TEXT',
    operandCount: { least: 1, most: 1 },
    summary: 'Send a message, wait for the reply and print it.',
    description: [
      'The address and the token are those of the gateway with the same configuration and state directory; the environment variables SD_GATEWAY_URL and SD_GATEWAY_TOKEN, or --url, say otherwise. TEXT "-" is read from standard input.',
      'At an address that nobody has named, the token and the text go only to a process of the user who owns the state directory, of this user or of root: anybody may listen there while the gateway is down.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'The session; "cli" by default.' },
      {
        name: 'wait',
        value: 'TIME',
        summary: 'How long to wait for the reply, such as "30s" or "5min"; 5 min by default.',
      },
      url,
      configuration,
      ...unitOptions,
      json,
    ],
    exitStatuses: [
      [commandStatus.success, 'The reply was printed.'],
      [commandStatus.failure, 'The message was refused, or is dead; the reason is printed.'],
      usageStatus,
      unavailableStatus,
      [commandStatus.restart, 'No reply within the time; the message goes on, its id is printed.'],
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: ['sd-gateway send "hello"', 'git diff | sd-gateway send --session review -'],
  },
  {
    name: 'cancel',
    operands: '[ID]',
    operandCount: { least: 0, most: 1 },
    summary: 'Cancel a message, or all of a session that waits or runs.',
    description: [
      'It is not run, or its turn is ended; there is no reply. What has a reply, or is dead, is left alone.',
      'The gateway is found as "send" finds it.',
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'All messages of this session.' },
      url,
      configuration,
      ...unitOptions,
      json,
    ],
    exitStatuses: [
      [commandStatus.success, 'It is cancelled.'],
      [commandStatus.failure, 'It could not be cancelled; the reason is printed.'],
      usageStatus,
      unavailableStatus,
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: [
      'sd-gateway cancel 0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b',
      'sd-gateway cancel --session chat-42',
    ],
  },
  {
    name: 'dead',
    operands: '[ACTION [ID...]]',
    operandCount: { least: 0, most: Number.POSITIVE_INFINITY },
    summary: 'List messages that are dead, try them again, or discard them.',
    description: [
      'ACTION is "list" (the default), "show ID", "retry ID..." or "discard ID...".',
      'Dead is what could not be run, or whose reply could not be delivered. With "retry" its turn is run again, as the next of its session, or its reply is sent again under the same key; with "discard" it ends as cancelled. So does, with "discard", a message whose reply waits to be delivered: the reply is given up, and those behind it in its session go out.',
      'The gateway is found as "send" finds it.',
    ],
    options: [
      { name: 'all', summary: 'With "retry" and "discard": all that are dead now.' },
      url,
      configuration,
      ...unitOptions,
      { name: 'json', summary: 'Print each message as one line of JSON.' },
    ],
    exitStatuses: [
      [commandStatus.success, 'It is done.'],
      [commandStatus.failure, 'It could not be done for one of them; the reason is printed.'],
      usageStatus,
      unavailableStatus,
      [commandStatus.noPermission, 'The token is not accepted.'],
      configurationStatus,
    ],
    examples: ['sd-gateway dead', 'sd-gateway dead retry --all'],
  },
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
      configuration,
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
      json,
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
      json,
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
  {
    name: 'start',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Start the unit and wait until it serves.',
    description: [
      'Through systemd. When the start fails, the reason is printed from the journal, with what to do next. A unit that runs already is left alone.',
    ],
    options: unitOptions,
    exitStatuses: [
      [commandStatus.success, 'It serves.'],
      [commandStatus.failure, 'The start failed.'],
      [commandStatus.noUnit, 'There is no such unit in this scope.'],
      usageStatus,
      [commandStatus.unavailable, 'There is no systemd here, or it can’t be reached.'],
      noPermissionStatus,
      configurationStatus,
      interruptedStatus,
    ],
    examples: ['sd-gateway start', 'sd-gateway start --instance test'],
  },
  {
    name: 'stop',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Stop the unit, or a gateway in the foreground, and wait until it has ended.',
    description: [
      'A unit is stopped through systemd; a gateway in the foreground is asked through its control socket. Running turns may end first.',
      'Refused from within a turn that this gateway runs: it would be cut off, run again, and stop the gateway again.',
    ],
    options: unitOptions,
    exitStatuses: [
      [commandStatus.success, 'It has ended, or did not run.'],
      [commandStatus.failure, 'It could not be stopped, or not cleanly.'],
      otherScopeStatus,
      usageStatus,
      unavailableStatus,
      withinTurnStatus,
      interruptedStatus,
    ],
    examples: ['sd-gateway stop', 'sd-gateway stop --instance test'],
  },
  {
    name: 'restart',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Restart the unit and wait until it serves again.',
    description: [
      'Through systemd. A gateway in the foreground ends with status 75, for its supervisor to start it again.',
      'Refused from within a turn that this gateway runs, with --when-idle too: it would be cut off, run again, and restart the gateway again.',
    ],
    options: [
      ...unitOptions,
      {
        name: 'when-idle',
        summary: 'Wait first until no turn runs or waits; new messages are taken meanwhile.',
      },
      {
        name: 'timeout',
        value: 'TIME',
        summary: 'How long to wait for that, such as "10min"; as long as it takes by default.',
      },
    ],
    exitStatuses: [
      [commandStatus.success, 'It serves again; or has ended, to be started again.'],
      [commandStatus.failure, 'It could not be restarted.'],
      otherScopeStatus,
      usageStatus,
      unavailableStatus,
      [commandStatus.restart, 'Not idle within the time; nothing was restarted.'],
      withinTurnStatus,
      configurationStatus,
      interruptedStatus,
    ],
    examples: ['sd-gateway restart', 'sd-gateway restart --when-idle --timeout 10min'],
  },
  {
    name: 'reload',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Have the gateway read its configuration again.',
    description: ['A configuration that can’t be used is refused, and the old one stays in force.'],
    options: unitOptions,
    exitStatuses: [
      [commandStatus.success, 'The configuration is in force.'],
      [commandStatus.failure, 'It could not be reloaded.'],
      [commandStatus.notRunning, 'The unit is not running.'],
      otherScopeStatus,
      usageStatus,
      unavailableStatus,
      noPermissionStatus,
      [commandStatus.configuration, 'The new configuration was refused; the reason is printed.'],
      interruptedStatus,
    ],
    examples: ['sd-gateway reload'],
  },
  {
    name: 'status',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Show how the gateway is: unit, state, work, last stop.',
    description: [
      'One screen, from systemd, the gateway, its store and the journal. Who may not ask one of them sees what the others know. Without --user or --system, a unit of the other scope is shown too.',
    ],
    options: [
      ...unitOptions,
      { name: 'all', summary: 'A line for each unit sd-gateway*.service of the scope.' },
      json,
    ],
    exitStatuses: [
      [commandStatus.success, 'It serves.'],
      [commandStatus.failure, 'It has failed, or waits to be started again after a failure.'],
      [commandStatus.notRunning, 'It is stopped, starting or stopping.'],
      [commandStatus.noUnit, 'There is no such unit, or nobody can be asked.'],
      usageStatus,
    ],
    examples: ['sd-gateway status', 'sd-gateway status --json', 'sd-gateway status --all'],
  },
  {
    name: 'logs',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Show the gateway’s records in the journal.',
    description: [
      'Found by their fields: what the gateway wrote and what systemd wrote about its unit, of one start, one session or one message. The newest 100 where nothing else limits them.',
      'A gateway in the foreground writes to its terminal, not to the journal. Ctrl-C ends --follow with status 0.',
    ],
    options: [
      ...unitOptions,
      { name: 'follow', short: 'f', summary: 'Go on with what is written from now on.' },
      { name: 'since', value: 'TIME', summary: 'From then on, as journalctl takes it.' },
      { name: 'until', value: 'TIME', summary: 'Up to then.' },
      { name: 'lines', short: 'n', value: 'NUMBER', summary: 'The newest so many.' },
      { name: 'invocation', value: 'WHICH', summary: '"current", "previous", or an invocation’s ID.' },
      { name: 'session', short: 's', value: 'NAME', summary: 'About this session only.' },
      { name: 'message', value: 'ID', summary: 'About this message only.' },
      {
        name: 'priority',
        short: 'p',
        value: 'LEVEL',
        summary: 'This urgent or more: "err", "warning", "notice", "info", "debug", …, or 0 to 7.',
      },
      { name: 'json', summary: 'Print each record as one line of JSON, with all its fields.' },
    ],
    exitStatuses: [
      [commandStatus.success, 'The records were shown, or there are none that match.'],
      [commandStatus.failure, 'The journal can’t be read.'],
      noUnitStatus,
      usageStatus,
    ],
    examples: [
      'sd-gateway logs -f',
      'sd-gateway logs --invocation previous',
      'sd-gateway logs --session chat-42',
    ],
  },
  {
    name: 'doctor',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Check the machine, the unit and the store; say what to mend and how.',
    description: [
      'Each check has a verdict and, where something is wrong, a mend. Changes nothing without --fix; works without root, and says what it could not look at.',
      'With --fix: modes of the token and the directories, your own linger, daemon-reload, reset-failed. All else is a command to type.',
    ],
    options: [
      ...unitOptions,
      configuration,
      { name: 'fix', summary: 'Mend what can be mended safely.' },
      json,
    ],
    exitStatuses: [
      [commandStatus.success, 'No problem; there may be warnings.'],
      [commandStatus.failure, 'At least one problem.'],
      usageStatus,
    ],
    examples: ['sd-gateway doctor', 'sd-gateway doctor --fix'],
  },
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
    options: [configuration, ...unitOptions, json],
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
    options: [configuration, ...unitOptions, json],
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
