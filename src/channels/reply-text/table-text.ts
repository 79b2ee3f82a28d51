import { inlineText } from './inline-text.js';
import type { MarkdownToken } from './markdown-tokens.js';
import { noStyle, textOf } from './styled-text.js';

/** Cells are filled up to the width of their column, if it is no wider. */
const widestColumn = 40;

/**
 * A table as text in columns.
 *
 * @param source its lines, which stand for it if a row has more cells than the header: the parser leaves those out
 */
export function tableText(tokens: readonly MarkdownToken[], source: readonly string[]): string {
  const rows: string[][] = [];
  for (const token of tokens) {
    if (token.type === 'tr_open') rows.push([]);
    else if (token.type === 'inline') rows.at(-1)?.push(cellText(token));
  }
  const columns = rows[0]?.length ?? 0;
  if (source.some((line) => cellsOf(line) > columns)) return source.join('\n');
  return inColumns(rows);
}

/** The number of cells in a line of the source. */
function cellsOf(line: string): number {
  const row = line
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return row.split(/(?<!\\)\|/).length;
}

function inColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      const width = [...cell].length;
      if (width <= widestColumn) widths[column] = Math.max(widths[column] ?? 0, width);
    }
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length)))
      .join(' | ')
      .trimEnd(),
  );
  const line = rows[0]?.map((_cell, column) => '-'.repeat(Math.max(1, widths[column] ?? 1))) ?? [];
  return [lines[0] ?? '', line.join('-|-'), ...lines.slice(1)].join('\n');
}

/** The text of a cell of a table, with the URL of its link. */
function cellText(cell: MarkdownToken): string {
  const runs = inlineText(cell, noStyle);
  const link = runs.find(({ style }) => style.link !== undefined)?.style.link;
  const shown = textOf(runs).replaceAll('\n', ' ');
  return link === undefined || shown.includes(link) ? shown : `${shown} (${link})`;
}
