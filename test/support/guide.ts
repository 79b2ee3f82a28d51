import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A block of code in a guide, below the line that names its file. */
interface Block {
  readonly file: string;
  readonly language: string;
  readonly lines: readonly string[];
}

/** Reads the blocks of a guide whose file is named by a line such as "`src/agents/echo.ts`:" above. */
function blocksOf(guide: string): Block[] {
  const blocks: Block[] = [];
  let file = '';
  let language: string | null = null;
  let lines: string[] = [];
  for (const line of guide.split('\n')) {
    if (language !== null && line === '```') {
      if (file !== '') blocks.push({ file, language, lines });
      language = null;
    } else if (language !== null) {
      lines.push(line);
    } else if (line.startsWith('```')) {
      language = line.slice(3);
      lines = [];
    } else {
      file = /^`(\S+)`:$/.exec(line)?.[1] ?? (line.startsWith('#') ? '' : file);
    }
  }
  return blocks;
}

/** Changes a text as a diff without line numbers says; throws if what it begins from isn't there, or is there twice. */
function patched(text: string, { file, lines }: Block): string {
  const side = (without: string) =>
    lines.filter((line) => !line.startsWith(without)).map((line) => `${line.slice(1)}\n`);
  const before = side('+').join('');
  const parts = text.split(before);
  if (parts.length !== 2) throw new Error(`${file} has these lines ${parts.length - 1} times:\n${before}`);
  return parts.join(side('-').join(''));
}

/**
 * Copies the sources of the project into `directory` and does there what the guide says: new files are written, and
 * diffs change those that are there.
 */
export function followGuide(guide: string, directory: string): void {
  const project = new URL('../../', import.meta.url).pathname;
  cpSync(join(project, 'src'), join(directory, 'src'), { recursive: true });
  for (const block of blocksOf(readFileSync(join(project, guide), 'utf8'))) {
    const path = join(directory, block.file);
    mkdirSync(dirname(path), { recursive: true });
    if (block.language === 'diff') writeFileSync(path, patched(readFileSync(path, 'utf8'), block));
    else writeFileSync(path, `${block.lines.join('\n')}\n`);
  }
}
