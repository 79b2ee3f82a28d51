import { exitStatus } from '../lifecycle/exit-status.js';

/** An option of a command; also the source of the help, and of whatever else lists the options. */
export interface OptionDescription {
  readonly name: string;
  readonly short?: string;
  /** What follows it, such as "FILE"; without one it is a flag. */
  readonly value?: string;
  readonly summary: string;
}

export interface CommandDescription {
  readonly name: string;
  /** What follows the options, such as "TEXT". */
  readonly operands: string;
  /** How many operands there may be. */
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

const json: OptionDescription = { name: 'json', summary: 'Print one JSON object instead of text.' };

/** Options that every command takes. */
export const commonOptions: readonly OptionDescription[] = [
  { name: 'help', short: 'h', summary: 'Show the help and exit.' },
  { name: 'no-color', summary: 'No colours; as does the environment variable NO_COLOR.' },
];

const usageStatus = [commandStatus.usage, 'The command line is wrong.'] as const;
const configurationStatus = [commandStatus.configuration, 'The configuration can’t be used.'] as const;
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
    options: [configuration, instance],
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
    ],
    options: [
      { name: 'session', short: 's', value: 'NAME', summary: 'The session; "cli" by default.' },
      {
        name: 'wait',
        value: 'TIME',
        summary: 'How long to wait for the reply, such as "30s" or "5min"; 5 min by default.',
      },
      { name: 'url', value: 'URL', summary: 'The gateway’s address: http://HOST:PORT or unix:/PATH.' },
      configuration,
      instance,
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
    name: 'stop',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Stop a gateway that runs in the foreground, and wait until it has ended.',
    description: [
      'Asks through the control socket. Running turns may end first. A gateway that runs as a unit is stopped with "systemctl stop" instead: its unit would start it again.',
    ],
    options: [instance],
    exitStatuses: [
      [commandStatus.success, 'It has ended.'],
      [commandStatus.failure, 'It runs as a unit, or refused.'],
      usageStatus,
      unavailableStatus,
    ],
    examples: ['sd-gateway stop', 'sd-gateway stop --instance test'],
  },
  {
    name: 'restart',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Ask the gateway to end with status 75, upon which its unit starts it again.',
    description: [
      'Asks through the control socket, and waits until the gateway has ended. Only a gateway with a supervisor comes back.',
    ],
    options: [instance],
    exitStatuses: [
      [commandStatus.success, 'It has ended, to be started again.'],
      [commandStatus.failure, 'It refused.'],
      usageStatus,
      unavailableStatus,
    ],
    examples: ['sd-gateway restart'],
  },
  {
    name: 'check-config',
    operands: '',
    operandCount: { least: 0, most: 0 },
    summary: 'Read the configuration and say what is wrong with it, or what is in force.',
    description: [
      'Names every problem with its line. A configuration that can be used is printed as it is in force, with the file, the environment and the defaults taken together.',
    ],
    options: [configuration, instance, json],
    exitStatuses: [[commandStatus.success, 'It can be used.'], usageStatus, configurationStatus],
    examples: ['sd-gateway check-config', 'sd-gateway check-config --config ./sd-gateway.toml --json'],
  },
];
