import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import { type CommandDescription, commonOptions, type OptionDescription } from './command.js';
import { commands } from './commands.js';

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
  const flags = new Set<string>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = options.find(({ name }) => name === token.name);
    if (option === undefined) throw unknownOption(token.name, options, command.name);
    if (option.value === undefined) {
      if (token.value !== undefined) throw new UsageError(`--${option.name} takes no value`, command.name);
      flags.add(option.name);
    } else {
      if (token.value === undefined)
        throw new UsageError(`--${option.name} needs ${option.value}`, command.name);
      if (option === outputOption) noteOutput(token.value, flags, command.name);
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
  return { command, values, flags, operands };
}
