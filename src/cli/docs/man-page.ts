import { directories } from '../../config/directories.js';
import { type ConfigurationKey, settings } from '../../config/settings.js';
import {
  headingOf,
  meaningOf,
  namedAgents,
  otherRepeatedKeys,
  writtenDefault,
} from '../../config/written.js';
import { messageIds, recordFields } from '../../log/fields.js';
import { type CommandDescription, commonOptions, type OptionDescription } from '../command.js';
import { commands } from '../usage.js';

/** Text as roff takes it, for man(7): the same glyphs on every device, no request where a line begins with a dot. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll("'", '\\(aq')
    .replace(/[^\n -~]/gu, (character) => {
      const point = character.codePointAt(0) ?? 0;
      return `\\[u${point.toString(16).toUpperCase().padStart(4, '0')}]`;
    })
    .replace(/^\./gm, '\\&.');
}

/** An option, a name, a key: bold. */
export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** Sets a word for the reader to replace: italic. */
function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}

/** A section of paragraphs and lists. */
export function section(title: string, ...lines: readonly string[]): string {
  return [`.SH ${title.includes(' ') ? `"${roff(title)}"` : roff(title)}`, ...lines].join('\n');
}

/** Paragraphs, the first one without a break before it: its heading makes one. */
function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => (index === 0 ? [text] : ['.PP', text]));
}

/** A term, already roff, and what it means. */
export function item(term: string, ...meaning: readonly string[]): string[] {
  return ['.TP', term, ...meaning];
}

/** Lines that are kept as they are. */
export function literal(lines: readonly string[]): string[] {
  return ['.PP', '.EX', ...lines.map(roff), '.EE'];
}

/**
 * Breaks the lines of text at blanks, as man-pages(7) has them: at most 80 bytes each. Requests and what is kept as
 * it is (.EX) stay.
 */
export function fold(page: string): string {
  let kept = false;
  return page
    .split('\n')
    .map((line) => {
      if (line === '.EX') kept = true;
      if (line === '.EE') kept = false;
      // Beginning with a dot, a word would become a request; after the end of a sentence, two blanks would be set.
      return kept || line.startsWith('.')
        ? line
        : line.replace(/(?=.{81})(.{1,80})(?<![.?!](?:\\\(dq)?) (?=[^.' ])/g, '$1\n');
    })
    .join('\n');
}

export interface ManPageOptions {
  readonly version: string;
  /** The date on the page, such as "2026-11-23". */
  readonly date: string;
}

/** The meaning of each kind of record; the type keeps the list complete. */
const messageMeanings: Readonly<Record<keyof typeof messageIds, string>> = {
  ready: 'The gateway serves.',
  reloadDone: 'The configuration was read again.',
  reloadRefused: 'A new configuration was refused; the old one stays in force.',
  stopRequested: 'The gateway stops; cause, signal and sender are in the fields.',
  stopped: 'The gateway has stopped; who, what, why, how long and what was left are in the fields.',
  previousRun: 'The end of the run before this one.',
  drainFinished: 'The running turns have ended, or were cut off.',
  putBack: 'Turns were cut off and put back for the next start.',
  foreignKill: 'A SIGTERM came from a process that is not the supervisor.',
  crash: 'An exception that nobody caught.',
  watchdogStall: 'A part makes no progress; the watchdog is about to end the gateway.',
  deliveryDead: 'A reply could not be delivered and is not tried again.',
  storeRefuses: 'The store can’t be written; new messages are refused.',
  storeTakes: 'The store can be written again.',
  storeDamaged: 'The database is damaged.',
  connectionsBounded: 'Connections have reached their bound; those that rest are closed.',
  connectionsTaken: 'Connections are below their bound again.',
};

function heading(page: string, volume: 1 | 5, { version, date }: ManPageOptions): string {
  return [
    '.\\" Generated from the commands and the configuration schema; changes belong there.',
    `.TH ${page.toUpperCase().replaceAll('-', '\\-')} ${volume} ${date} "sd\\-gateway ${roff(version)}"`,
    // No word is broken: a broken name can't be copied. The macros set hyphenation anew from this register.
    '.nr HY 0',
    '.nh',
    '.ad l',
  ].join('\n');
}

function optionItem({ name, short, value, summary }: OptionDescription): string[] {
  const names = `${short === undefined ? '' : `${bold(`-${short}`)}, `}${bold(`--${name}`)}`;
  return item(value === undefined ? names : `${names} ${italic(value)}`, roff(summary));
}

function commandLine({ name, operands, options }: CommandDescription): string {
  const words = [bold('sd-gateway'), bold(name)];
  if (options.length > 0) words.push(`[${italic('OPTION')}]...`);
  if (operands !== '') words.push(italic(operands));
  return words.join(' ');
}

function commandPart(command: CommandDescription): string[] {
  return [
    `.SS ${bold(command.name)}${command.operands === '' ? '' : ` ${italic(command.operands)}`}`,
    ...paragraphs([command.summary, ...command.description].map(roff)),
    ...command.options.flatMap(optionItem),
    '.PP',
    'Exit status:',
    ...command.exitStatuses.flatMap(([status, meaning]) => item(String(status), roff(meaning))),
    '.PP',
    'Examples:',
    ...literal(command.examples.map((example) => `    ${example}`)),
  ];
}

/** Every status that some command has, each once. */
function allStatuses(): number[] {
  const statuses = commands.flatMap(({ exitStatuses }) => exitStatuses.map(([status]) => status));
  return [...new Set(statuses)].sort((one, other) => one - other);
}

function statusItem(status: number): string[] {
  const meanings = new Map<string, string[]>();
  for (const { name, exitStatuses } of commands) {
    for (const [candidate, meaning] of exitStatuses) {
      if (candidate === status) meanings.set(meaning, [...(meanings.get(meaning) ?? []), name]);
    }
  }
  const texts = [...meanings].map(([meaning, names]) => {
    const whose = names.length === commands.length ? '' : `${names.map(bold).join(', ')}: `;
    return whose + roff(meaning);
  });
  return item(String(status), ...texts.flatMap((text, index) => (index === 0 ? [text] : ['.br', text])));
}

/** The files of a scope, from the same function that the gateway finds them by. */
function fileItems(scope: 'system' | 'user'): string[] {
  const { state, runtime, configuration } = directories({
    instance: null,
    environment: scope === 'user' ? { XDG_RUNTIME_DIR: '/run/user/UID' } : {},
    scope,
    home: '~',
  });
  const whose = scope === 'system' ? 'of the system’s gateway' : 'of a user’s gateway';
  return [
    ...item(bold(`${configuration}/sd-gateway.toml`), roff(`The configuration ${whose}.`)),
    ...item(bold(state), roff(`The database, the token and the lock ${whose}.`)),
    ...item(bold(runtime), roff(`The control socket ${whose}.`)),
  ];
}

const seeAlso = (...pages: readonly (readonly [name: string, volume: number])[]): string =>
  section(
    'SEE ALSO',
    ...pages.map(
      ([name, volume], index) => `.BR ${roff(name)} (${volume})${index === pages.length - 1 ? '' : ' ,'}`,
    ),
  );

function page(parts: readonly string[]): string {
  return `${fold(parts.join('\n'))}\n`;
}

/** sd-gateway(1), in roff. */
export function commandsManPage(options: ManPageOptions): string {
  return page([
    heading('sd-gateway', 1, options),
    section('NAME', roff('sd-gateway - a message gateway for agents, supervised by systemd')),
    section(
      'SYNOPSIS',
      ...commands.flatMap((command, index) => [...(index === 0 ? [] : ['.br']), commandLine(command)]),
    ),
    section(
      'DESCRIPTION',
      ...paragraphs([
        roff(
          'Takes messages over HTTP, keeps them in a database, gives those of one session to an agent one after the other, and posts or shows the replies. It runs as a service of systemd, of the system or of a user, and tells it when it is ready, what it is at and when it stops.',
        ),
        `Its configuration is described in ${bold('sd-gateway.toml')}(5).`,
      ]),
    ),
    section('COMMANDS', ...commands.flatMap(commandPart)),
    section(
      'OPTIONS',
      roff('Every command takes these:'),
      ...commonOptions.flatMap(optionItem),
      ...item(bold('--version'), roff('Print the version and exit; in place of a command.')),
    ),
    section('EXIT STATUS', roff('By command:'), ...allStatuses().flatMap(statusItem)),
    section(
      'SIGNALS',
      roff('Of the running gateway:'),
      ...item(
        bold('SIGTERM'),
        roff(
          'From the supervisor: a planned stop, with exit status 0. From anybody else: the same stop, but with exit status 1; under a supervisor with stop.foreign_sigterm = "clean" it is 0.',
        ),
      ),
      ...item(
        bold('SIGINT'),
        roff(
          'From the terminal: a planned stop; a second one ends the gateway at once, with exit status 130.',
        ),
      ),
      ...item(bold('SIGHUP'), roff('Read the configuration again; one that can’t be used is refused.')),
    ),
    section(
      'ENVIRONMENT',
      roff('Each setting has a variable of its own, which overrides the file:'),
      `see ${bold('sd-gateway.toml')}(5).`,
      ...item(bold('SD_GATEWAY_URL'), roff('The gateway’s address, for send.')),
      ...item(bold('SD_GATEWAY_TOKEN'), roff('The token, for send.')),
      ...item(bold('NO_COLOR'), roff('No colours, whatever its value, unless it is empty.')),
      ...item(
        `${bold('STATE_DIRECTORY')}, ${bold('RUNTIME_DIRECTORY')}, ${bold('CONFIGURATION_DIRECTORY')}, ${bold('CREDENTIALS_DIRECTORY')}`,
        roff('Set by systemd, see systemd.exec(5); they come before the directories under FILES.'),
      ),
      ...item(
        `${bold('NOTIFY_SOCKET')}, ${bold('WATCHDOG_USEC')}, ${bold('LISTEN_FDS')}`,
        roff('Set by systemd for a unit’s main process, see sd_notify(3) and sd_listen_fds(3).'),
      ),
    ),
    section(
      'FILES',
      ...paragraphs([
        roff('An instance NAME has directories of its own, sd-gateway-NAME, and sd-gateway-NAME.toml.'),
      ]),
      ...fileItems('system'),
      ...fileItems('user'),
    ),
    section(
      'JOURNAL FIELDS',
      roff('Fields of the gateway’s records, besides those of systemd.journal-fields(7):'),
      ...Object.entries(recordFields).flatMap(([field, meaning]) => item(bold(field), roff(meaning))),
    ),
    section(
      'MESSAGE IDS',
      roff('Kinds of records, for "journalctl MESSAGE_ID=...":'),
      ...Object.entries(messageIds).flatMap(([name, id]) =>
        item(bold(id), roff(messageMeanings[name as keyof typeof messageIds])),
      ),
    ),
    seeAlso(
      ['sd-gateway.toml', 5],
      ['systemctl', 1],
      ['journalctl', 1],
      ['systemd.service', 5],
      ['sd_notify', 3],
    ),
  ]);
}

function keyItem(key: ConfigurationKey, meaning: string, ...more: readonly string[]): string[] {
  const value = writtenDefault(key) ?? 'unset';
  return item(`${bold(key.path.at(-1) ?? '')} (default: ${roff(value)})`, roff(meaning), ...more);
}

/** sd-gateway.toml(5), in roff. */
export function configurationManPage(options: ManPageOptions): string {
  const tables = [...new Set(settings.map(({ path }) => path.slice(0, -1).join('.')))];
  return page([
    heading('sd-gateway.toml', 5, options),
    section('NAME', roff('sd-gateway.toml - configuration of sd-gateway')),
    section('SYNOPSIS', ...fileItems('system').slice(1, 2), '.br', ...fileItems('user').slice(1, 2)),
    section(
      'DESCRIPTION',
      ...paragraphs([
        roff(
          'A TOML file; without one, and for each key that it leaves out, the defaults are in force. A time is written such as "30s", "5min" or "1h 30min", a size such as "256K" or "1M". An unknown key is refused, with its line.',
        ),
        `A variable of the environment overrides its key. ${bold('sd-gateway check-config')} shows what is in force, or what is wrong.`,
      ]),
    ),
    ...tables.map((table) =>
      section(
        table === '' ? 'TOP LEVEL' : `[${table}]`,
        ...settings
          .filter(({ path }) => path.slice(0, -1).join('.') === table)
          .flatMap((key) => keyItem(key, key.description, '.br', roff(`Environment: ${key.variable}`))),
      ),
    ),
    section('[agents.NAME]', ...paragraphs([roff(namedAgents)])),
    ...[...new Set(otherRepeatedKeys().map(headingOf))].map((heading) =>
      section(
        heading,
        ...otherRepeatedKeys()
          .filter((key) => headingOf(key) === heading)
          .flatMap((key) => keyItem(key, meaningOf(key))),
      ),
    ),
    seeAlso(['sd-gateway', 1], ['systemd.service', 5]),
  ]);
}
