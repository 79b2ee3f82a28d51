import { commands, type OptionDescription } from './commands.js';
import { optionTerm } from './help.js';

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
