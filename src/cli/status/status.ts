import { ProgramError } from '../../manager/program.js';
import { ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { instanceOf, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { commandFor, managerTrouble } from '../operate/find.js';
import { readUnit, type UnitState } from '../operate/unit.js';
import { cut, printable, reportLine, type Style, type Terminal, terminalOf } from '../terminal.js';
import { type ParsedCommand, UsageError } from '../usage.js';
import { gather } from './gather.js';
import { formatAgo, formatSize, statusOf, verdictOf } from './report.js';
import { statusText } from './text.js';

const heads = ['UNIT', 'STATE', 'SINCE', 'PID', 'MEMORY', 'RESTARTS', 'STATUS'] as const;

function styleOf(unit: UnitState): Style {
  switch (verdictOf(unit, false, true)) {
    case 'running':
      return 'green';
    case 'failed':
      return 'red';
    case 'stopped':
      return 'dim';
    default:
      return 'yellow';
  }
}

/** The state in one word: "running", "auto-restart", "inactive", "failed", "masked". */
function stateOf(unit: UnitState): string {
  if (unit.loadState !== 'loaded') return unit.loadState;
  return unit.activeState === 'inactive' ? unit.activeState : unit.subState;
}

function cellsOf(unit: UnitState, now: number): readonly string[] {
  return [
    unit.name,
    stateOf(unit),
    unit.since === null ? '–' : formatAgo(unit.since, now),
    unit.mainPid === null ? '–' : String(unit.mainPid),
    unit.memory.current === null ? '–' : formatSize(unit.memory.current),
    String(unit.restarts),
    printable(unit.statusText ?? ''),
  ];
}

/** Writes a line for each unit. A terminal gets as much of the status line as fits; a pipe or a file gets all of it. */
export function statusTable(units: readonly UnitState[], now: number, terminal: Terminal): string {
  const rows = units.map((unit) => cellsOf(unit, now));
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[], style: (column: number, text: string) => string) => {
    let used = 0;
    return cells
      .map((text, column) => {
        const width =
          column === heads.length - 1 ? Math.max(8, terminal.width - used) : (widths[column] ?? 0);
        used += width + 2;
        if (column < heads.length - 1) return style(column, text.padEnd(width));
        return style(column, terminal.isTerminal ? cut(text, width) : text);
      })
      .join('  ')
      .trimEnd();
  };
  const lines = [line(heads, (_column, text) => terminal.paint('bold', text))];
  rows.forEach((cells, index) => {
    const unit = units[index];
    lines.push(
      line(cells, (column, text) =>
        column === 1 && unit !== undefined ? terminal.paint(styleOf(unit), text) : text,
      ),
    );
  });
  return `${lines.join('\n')}\n`;
}

const pattern = 'sd-gateway*.service';

/** A line for each unit of the scope. */
async function showAll(parsed: ParsedCommand): Promise<number> {
  const scope = scopeOf(parsed);
  if (parsed.values['instance'] !== undefined) {
    throw new UsageError('--all and --instance exclude each other', parsed.command.name);
  }
  const manager = new ServiceManager(scope);
  try {
    // The services of schedules have a ":", and are no gateways.
    const names = (await manager.unitsMatching(pattern)).filter((name) => !name.includes(':'));
    const units = await Promise.all(names.map((name) => readUnit(manager, name)));
    if (parsed.flags.has('json')) process.stdout.write(reportLine({ units }));
    else if (units.length > 0) process.stdout.write(statusTable(units, Date.now(), terminalOf(parsed)));
    else {
      process.stderr.write(
        `sd-gateway: no unit ${pattern} here. To install one: ${commandFor('install', { scope, instance: null }, true)}\n`,
      );
    }
    // The worst of them; none at all is no unit.
    const statuses = units.map((unit) => statusOf(verdictOf(unit, false, true)));
    if (statuses.length === 0) return commandStatus.noUnit;
    if (statuses.includes(commandStatus.failure)) return commandStatus.failure;
    return Math.max(...statuses);
  } catch (error) {
    if (!(error instanceof ProgramError || error instanceof ServiceManagerError)) throw error;
    const { text, next } = managerTrouble(scope, error);
    process.stderr.write(`sd-gateway: ${printable(text)}.${next === null ? '' : ` ${next}`}\n`);
    return commandStatus.noUnit;
  }
}

/** Shows how the gateway is. */
export async function run(parsed: ParsedCommand): Promise<number> {
  if (parsed.flags.has('all')) return showAll(parsed);
  const target = { scope: scopeOf(parsed), instance: instanceOf(parsed) };
  const report = await gather(target, parsed.flags.has('user') || parsed.flags.has('system'));
  process.stdout.write(
    parsed.flags.has('json') ? reportLine(report) : statusText(report, terminalOf(parsed)),
  );
  return statusOf(report.verdict);
}
