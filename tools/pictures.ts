/** Draws the pictures of docs/pictures: what a terminal showed, and what was said in a chat. The same text gives the same bytes. */

/** What somebody said, in the order of the chat. */
export interface ChatLine {
  readonly who: string;
  readonly text: string;
  /** True: of the person, to the right. */
  readonly isOwn: boolean;
}

/**
 * The lines that a terminal shows of what was written to it. Colours are left out; of the movements there are those that
 * readline and our own waiting line make: to a column, and erase.
 */
export function terminalLines(written: string): readonly string[] {
  const lines: string[][] = [[]];
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  for (const [piece, argument, command] of written.matchAll(/\u001b\[([0-9;?]*)([A-Za-z])|[\s\S]/gu)) {
    const line = lines.at(-1) as string[];
    if (command === 'G') column = Number(argument || 1) - 1;
    else if (command === 'J' || command === 'K') line.length = Math.min(line.length, column);
    else if (command !== undefined || piece === '\u0007') continue;
    else if (piece === '\r') column = 0;
    else if (piece === '\b') column = Math.max(0, column - 1);
    else if (piece === '\n') {
      lines.push([]);
      column = 0;
    } else {
      while (line.length < column) line.push(' ');
      line[column] = piece;
      column += 1;
    }
  }
  return lines.map((line) => line.join('').trimEnd());
}

/** Cuts lines into pieces of at most so many characters: at a blank where there is one. */
function wrapped(text: string, columns: number): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const rows: string[] = [];
    let rest = line;
    while (rest.length > columns) {
      const blank = rest.lastIndexOf(' ', columns);
      const end = blank > columns / 2 ? blank : columns;
      rows.push(rest.slice(0, end));
      rest = rest.slice(end).replace(/^ /, '');
    }
    return [...rows, rest];
  });
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

const columns = 100;
const mostRows = 60;
const letterWidth = 7.8;
const rowHeight = 18;

export function terminalPicture(title: string, shown: string): string {
  const all = wrapped(shown, columns);
  const rows = all.length <= mostRows ? all : [...all.slice(0, 6), '[…]', ...all.slice(7 - mostRows)];
  const width = Math.ceil(columns * letterWidth) + 32;
  const texts = rows.map(
    (row, index) => `<text x="16" y="${28 + index * rowHeight}" xml:space="preserve">${escaped(row)}</text>`,
  );
  const height = rows.length * rowHeight + 28;
  return picture(width, height, title, [
    `<rect width="${width}" height="${height}" rx="8" fill="#1d2229"/>`,
    '<g font-family="Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13" fill="#dfe5ea">',
    ...texts,
    '</g>',
  ]);
}

const chatWidth = 560;
const bubbleColumns = 56;

export function chatPicture(title: string, said: readonly ChatLine[]): string {
  let y = 16;
  const bubbles = said.flatMap(({ who, text, isOwn }) => {
    const rows = wrapped(text, bubbleColumns);
    const width = Math.max(who.length, ...rows.map((row) => row.length)) * 8.2 + 28;
    const height = rows.length * rowHeight + 32;
    const x = isOwn ? chatWidth - 16 - width : 16;
    const top = y;
    y += height + 10;
    return [
      `<rect x="${x.toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="${height}" rx="12" fill="${isOwn ? '#d7f2c8' : '#ffffff'}"/>`,
      `<text x="${(x + 14).toFixed(1)}" y="${top + 18}" fill="#3a7bbf" font-weight="bold">${escaped(who)}</text>`,
      ...rows.map(
        (row, index) =>
          `<text x="${(x + 14).toFixed(1)}" y="${top + 37 + index * rowHeight}" fill="#1d2229" xml:space="preserve">${escaped(row)}</text>`,
      ),
    ];
  });
  const height = y + 6;
  return picture(chatWidth, height, title, [
    `<rect width="${chatWidth}" height="${height}" rx="8" fill="#c9d8e6"/>`,
    '<g font-family="system-ui, DejaVu Sans, sans-serif" font-size="14">',
    ...bubbles,
    '</g>',
  ]);
}
