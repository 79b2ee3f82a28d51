import type { UnitState } from '../operate/unit.js';
import { cut } from '../spinner.js';
import { printable, type Style, type Terminal } from '../terminal.js';
import { verdictOf } from './report.js';
import { formatAgo, formatSize } from './words.js';

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
