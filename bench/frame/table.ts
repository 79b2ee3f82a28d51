import type { Reached, Result } from './measure.js';

/** Three significant digits, without an exponent. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 1_000) return Math.round(value).toLocaleString('en-GB');
  return String(Number(value.toPrecision(3)));
}

function bound({ atLeast, atMost, orOverlap }: Reached): string {
  const limit = atLeast === undefined ? `≤ ${short(atMost ?? Number.NaN)}` : `≥ ${short(atLeast)}`;
  return orOverlap === true ? `${limit}, or overlapping` : limit;
}

function judgement(target: Reached): string {
  const { difference, atMostMore = Number.NaN, reached } = target;
  if (difference !== undefined) {
    return `${short(target.ratio.median)}; ${short(difference.median)} more (≤ ${short(atMostMore)}: ${reached ? 'reached' : 'missed'})`;
  }
  return `${short(target.ratio.median)} (${bound(target)}: ${target.reached ? 'reached' : 'missed'})`;
}

/** One row for each figure of each contender: Markdown, so that the documentation can quote it. */
export function table(results: readonly Result[]): string {
  const rows: string[][] = [['what', 'contender', 'median', 'min', 'max', 'own / its', 'of']];
  for (const result of results) {
    for (const figure of result.figures) {
      for (const [index, contender] of result.contenders.entries()) {
        const summary = contender.figures[figure.name];
        if (summary === undefined) continue;
        const target = result.targets.find(
          (each) => each.against === contender.name && each.figure === figure.name,
        );
        rows.push([
          index === 0 ? `${result.title}: ${figure.name}, ${figure.unit}` : '',
          contender.name,
          short(summary.median),
          short(summary.min),
          short(summary.max),
          target === undefined ? ownOver(result, figure.name, summary.median, index) : judgement(target),
          String(result.rounds),
        ]);
      }
    }
    for (const { name, why } of result.notMeasured) {
      rows.push([`${result.title}`, name, 'not measured', '', '', why, '']);
    }
  }
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body.map(line)].join(
    '\n',
  );
}

function ownOver(result: Result, figure: string, median: number, index: number): string {
  const own = result.contenders[0]?.figures[figure]?.median;
  return index === 0 || own === undefined ? '' : short(own / median);
}
