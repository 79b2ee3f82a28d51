import { shellCommand } from './shell-words.js';

/** Options by which a command finds its gateway; null: not given, or not needed. */
export interface GatewayOptions {
  readonly scope: 'system' | 'user' | null;
  readonly instance: string | null;
  readonly config: string | null;
  readonly url: string | null;
}

type OptionName = keyof GatewayOptions;

/** Commands about the unit. */
const ofTheUnit = [
  'start',
  'stop',
  'restart',
  'reload',
  'status',
  'logs',
  'install',
  'uninstall',
  'schedule',
];
/** Commands that look at files, and need no address. */
const ofTheFiles = ['doctor', 'check-config', 'store', 'init', 'import', 'diagnostics'];

/** The options of them that a command takes. */
export function gatewayOptionsOf(command: string): readonly OptionName[] {
  if (command === 'run') return ['instance', 'config'];
  if (ofTheUnit.includes(command)) return ['scope', 'instance'];
  if (ofTheFiles.includes(command)) return ['scope', 'instance', 'config'];
  return ['scope', 'instance', 'config', 'url'];
}

/**
 * Writes a command as it is typed for that gateway.
 *
 * @param words the command's name and operands, such as "show ID"
 */
export function commandLine(words: string, options: Partial<GatewayOptions>): string {
  const [name = ''] = words.split(' ', 1);
  const given = gatewayOptionsOf(name).flatMap((option) => {
    const value = options[option] ?? null;
    if (value === null) return [];
    return option === 'scope' ? [`--${value}`] : [`--${option}`, value];
  });
  return ['sd-gateway', words, ...(given.length === 0 ? [] : [shellCommand(given)])].join(' ');
}

let own: Partial<GatewayOptions> = {};

/** Notes the options by which this process was told which gateway it is, or is about. Call it once, before all else. */
export function nameOwnGateway(options: Partial<GatewayOptions>): void {
  own = options;
}

/** Writes a command as it is typed for the gateway of this process: the next step of an operator. */
export function ownCommand(words: string): string {
  return commandLine(words, own);
}
