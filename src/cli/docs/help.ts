import { type CommandDescription, commonOptions, type OptionDescription } from '../command.js';
import { commands } from '../usage.js';

/** Breaks a text into lines of at most `width` characters, each after `indent`. */
function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line].join('\n');
}

/** A term and what it means, the meaning in a column of its own. */
function entry(term: string, meaning: string, column: number, width: number): string {
  const indent = ' '.repeat(column);
  const lines = wrap(meaning, width, indent);
  return term.length + 4 > column
    ? `  ${term}\n${lines}`
    : `  ${term.padEnd(column - 2)}${lines.slice(column)}`;
}

/** An option as it is listed, such as "-s, --session NAME". */
export function optionTerm({ name, short, value }: OptionDescription): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.join('\n')}\n`;
}

/** The help of the whole program. */
export function programHelp(width: number): string {
  return [
    'sd-gateway: a message gateway for agents, supervised by systemd.\n',
    'Usage: sd-gateway COMMAND [OPTION…]\n',
    section('Commands', [
      ...commands.map(({ name, summary }) => entry(name, summary, 18, width)),
      entry('help COMMAND', 'Show the help of a command.', 18, width),
    ]),
    section('Options', [
      ...commonOptions.map((option) => entry(optionTerm(option), option.summary, 18, width)),
      entry('--version', 'Print the version and exit.', 18, width),
    ]),
    wrap(
      'As a service: systemctl start sd-gateway, systemctl status sd-gateway, journalctl --unit sd-gateway; with --user for a user unit.',
      width,
      '',
    ),
    '',
  ].join('\n');
}

/** The help of one command. */
export function commandHelp(command: CommandDescription, width: number): string {
  const operands = command.operands === '' ? '' : ` ${command.operands}`;
  return [
    `${wrap(`sd-gateway ${command.name}: ${command.summary}`, width, '')}\n`,
    `Usage: sd-gateway ${command.name} [OPTION…]${operands}\n`,
    ...command.description.map((paragraph) => `${wrap(paragraph, width, '')}\n`),
    section(
      'Options',
      [...command.options, ...commonOptions].map((option) =>
        entry(optionTerm(option), option.summary, 22, width),
      ),
    ),
    section(
      'Exit status',
      command.exitStatuses.map(([status, meaning]) => entry(String(status), meaning, 8, width)),
    ),
    section(
      'Examples',
      command.examples.map((example) => `  ${example}`),
    ),
  ].join('\n');
}

function optionRow(option: OptionDescription): string {
  return `| \`${optionTerm(option)}\` | ${option.summary} |`;
}

/** All commands with their options and exit statuses, in Markdown; docs/commands.md holds it. */
export function commandReference(): string {
  return commands
    .map((command) =>
      [
        `## sd-gateway ${command.name}${command.operands === '' ? '' : ` ${command.operands}`}`,
        '',
        command.summary,
        ...command.description.flatMap((paragraph) => ['', paragraph]),
        '',
        '| option | meaning |',
        '| --- | --- |',
        ...command.options.map(optionRow),
        '',
        '| exit status | meaning |',
        '| --- | --- |',
        ...command.exitStatuses.map(([status, meaning]) => `| ${status} | ${meaning} |`),
        '',
        '```sh',
        ...command.examples,
        '```',
        '',
      ].join('\n'),
    )
    .join('\n');
}
