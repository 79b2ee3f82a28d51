import { exitStatus } from '../lifecycle/stop-cause.js';

/** An option of a command; also the source of the help, and of whatever else lists the options. */
export interface OptionDescription {
  readonly name: string;
  readonly short?: string;
  /** The name of its value, such as "FILE"; a flag has none. */
  readonly value?: string;
  /** True if it may be given more than once: each of its values counts. */
  readonly isRepeatable?: true;
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

export const instanceOption: OptionDescription = {
  name: 'instance',
  value: 'NAME',
  summary: 'The instance of that name, with directories and a configuration of its own.',
};

export const configurationOption: OptionDescription = {
  name: 'config',
  value: 'FILE',
  summary: 'The configuration file, instead of sd-gateway.toml in the configuration directory.',
};

export const urlOption: OptionDescription = {
  name: 'url',
  value: 'URL',
  summary: 'The gateway’s address: http://HOST:PORT or unix:/PATH.',
};

export const jsonOption: OptionDescription = {
  name: 'json',
  summary: 'Print one JSON object instead of text, as -o json does.',
};

export const scopeOptions: readonly OptionDescription[] = [
  { name: 'user', summary: 'The unit of your own service manager; the default, unless you are root.' },
  { name: 'system', summary: 'The unit of the system’s service manager; the default for root.' },
];

/** Options that name the unit of an operator’s command. */
export const unitOptions: readonly OptionDescription[] = [...scopeOptions, instanceOption];

/** Options that every command takes. */
export const commonOptions: readonly OptionDescription[] = [
  { name: 'help', short: 'h', summary: 'Show the help and exit.' },
  { name: 'no-color', summary: 'Print no colours, as with the environment variable NO_COLOR.' },
];

export const usageStatus = [commandStatus.usage, 'The command line is wrong.'] as const;
export const configurationStatus = [commandStatus.configuration, 'The configuration can’t be used.'] as const;
export const noUnitStatus = [commandStatus.noUnit, 'There is no such unit.'] as const;
export const noPermissionStatus = [commandStatus.noPermission, 'Not allowed to this user.'] as const;
export const withinTurnStatus = [
  commandStatus.noPermission,
  'Not allowed to this user, or asked for from within a turn that this gateway runs.',
] as const;
export const otherScopeStatus = [
  commandStatus.noUnit,
  'The unit is one of the other scope; the command to type is printed.',
] as const;
export const interruptedStatus = [
  commandStatus.interrupted,
  'Ctrl-C ended the wait; systemd goes on with it.',
] as const;
export const unavailableStatus = [commandStatus.unavailable, 'No gateway answers.'] as const;
