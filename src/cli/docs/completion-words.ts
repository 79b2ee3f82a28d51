import { type CommandDescription, commonOptions, type OptionDescription } from '../command.js';
import { commands } from '../commands.js';

export const shells = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof shells)[number];

/** The kind of words that a shell can offer for a value. */
export type ValueKind = 'file' | 'instance' | 'other';

export function isShell(name: string): name is Shell {
  return (shells as readonly string[]).includes(name);
}

/** All that a command takes, in the order of its help. */
export function optionsOf(command: CommandDescription): readonly OptionDescription[] {
  return [...command.options, ...commonOptions];
}

export function valueKind({ name, value }: OptionDescription): ValueKind {
  if (value === 'FILE') return 'file';
  return name === 'instance' ? 'instance' : 'other';
}

/** The words that an operand may be; none where it is free. */
export function operandWords(command: CommandDescription): readonly string[] {
  return command.name === 'completion' ? shells : [];
}

/** Lists the words that may stand first, each with its summary. */
export function firstWords(): readonly (readonly [word: string, summary: string])[] {
  return [
    ...commands.map(({ name, summary }) => [name, summary] as const),
    ['help', 'Show the help of a command.'],
    ['--help', 'Show the help and exit.'],
    ['--version', 'Print the version and exit.'],
  ];
}

/**
 * Prints the names of the installed instances, one a line, for POSIX shells: unit files sd-gateway-NAME.service of
 * the system and of the user, wherever systemd looks for those that an operator has.
 */
export const listInstances = [
  'command ls -1 /etc/systemd/system /usr/lib/systemd/system /etc/systemd/user' +
    ' "$' +
    '{XDG_CONFIG_HOME:-$HOME/.config}/systemd/user" 2>/dev/null',
  "command sed -n 's/^sd-gateway-\\(.*\\)\\.service$/\\1/p'",
  'command sort -u',
].join(' | ');
