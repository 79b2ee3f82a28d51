interface Edit {
  readonly sign: ' ' | '-' | '+';
  readonly line: string;
}

/** The shortest edit of one list of lines into the other, by their longest common subsequence. */
function editsOf(from: readonly string[], to: readonly string[]): Edit[] {
  // common[i][j]: the length of what from[i…] and to[j…] have in common.
  const common = Array.from({ length: from.length + 1 }, () => new Uint32Array(to.length + 1));
  const at = (i: number, j: number): number => common[i]?.[j] ?? 0;
  for (let i = from.length - 1; i >= 0; i--) {
    const row = common[i] ?? new Uint32Array();
    for (let j = to.length - 1; j >= 0; j--)
      row[j] = from[i] === to[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const edits: Edit[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      edits.push({ sign: ' ', line: from[i] ?? '' });
      i++;
      j++;
    } else if (i < from.length && (j === to.length || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ sign: '-', line: from[i++] ?? '' });
    } else {
      edits.push({ sign: '+', line: to[j++] ?? '' });
    }
  }
  return edits;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

const context = 3;

/** The unified difference of two texts, as `diff --unified` writes it; empty when they are alike. */
export function unifiedDifference(
  from: { readonly name: string; readonly text: string },
  to: { readonly name: string; readonly text: string },
): string {
  const edits = editsOf(linesOf(from.text), linesOf(to.text));
  const near = edits.map((_, index) =>
    edits.slice(Math.max(0, index - context), index + context + 1).some(({ sign }) => sign !== ' '),
  );
  const output: string[] = [];
  let [fromLine, toLine] = [1, 1];
  for (let index = 0; index < edits.length; ) {
    if (near[index] !== true) {
      fromLine++;
      toLine++;
      index++;
      continue;
    }
    const first = index;
    while (near[index] === true) index++;
    const hunk = edits.slice(first, index);
    const [fromCount, toCount] = ['+', '-'].map((other) => hunk.filter(({ sign }) => sign !== other).length);
    output.push(`@@ -${range(fromLine, fromCount ?? 0)} +${range(toLine, toCount ?? 0)} @@`);
    output.push(...hunk.map(({ sign, line }) => `${sign}${line}`));
    fromLine += fromCount ?? 0;
    toLine += toCount ?? 0;
  }
  return output.length === 0 ? '' : `--- ${from.name}\n+++ ${to.name}\n${output.join('\n')}\n`;
}

/** First line and number of lines of a hunk; one without lines names the line before it. */
function range(first: number, count: number): string {
  return `${count === 0 ? first - 1 : first},${count}`;
}
