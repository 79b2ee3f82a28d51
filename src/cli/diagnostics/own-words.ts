import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Texts that systemd writes about a service, which are no part of this program. */
const ofSystemd = [
  'Starting §',
  'Started §',
  'Stopping §',
  'Stopped §',
  'Reloading §',
  'Reloaded §',
  'Main process exited,',
  'Control process exited,',
  'Failed with result §',
  'Scheduled restart job, restart counter is at §',
  'Start request repeated too quickly.',
  'Deactivated successfully.',
  'State § timed out.',
  'Watchdog timeout (limit §',
  'Killing process § with signal §',
  'A process of this unit has been killed by the OOM killer.',
  'Consumed § CPU time.',
  'Failed at step § spawning §',
  'No such file or directory',
  'Permission denied',
  'code=exited, code=killed, code=dumped,',
];

/** Literals of JavaScript as rolldown writes them. What is taken for one by mistake is the program's own text, too. */
const literal = /"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\[\s\S])*)`/g;

/** Stands for what a template has put in. */
const variable = '§';

/** Lets the quotes and the punctuation around a word go. */
export function bare(word: string): string {
  return word.replace(/^[^\p{L}\p{N}§/~<_-]+|[^\p{L}\p{N}§/>_]+$/gu, '');
}

function decoded(text: string): string {
  return text
    .replace(/\\u\{?([0-9a-fA-F]{4})\}?/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\n/g, ' ')
    .replace(/\\(.)/g, '$1');
}

/**
 * The texts that are written into this program. What else a text holds was put in: it may be anybody's, and stays out of a
 * report.
 */
export class OwnWords {
  readonly #literals = new Set<string>();
  readonly #pairs = new Set<string>();

  constructor(texts: Iterable<string>) {
    for (const text of texts) this.#add(text);
    for (const text of ofSystemd) this.#add(text);
  }

  /** Reads the program and its unit files. `root`: the directory of the package. */
  static read(root: string): OwnWords {
    return new OwnWords(literalsBelow(root));
  }

  #add(text: string): void {
    if (text.length <= 80) this.#literals.add(text);
    const words = text.split(/\s+/).map(bare);
    for (let at = 1; at < words.length; at++) this.#pairs.add(`${words[at - 1]} ${words[at]}`);
  }

  /** True if the text as a whole stands in the program. */
  isLiteral(text: string): boolean {
    return this.#literals.has(text);
  }

  /** True if the program has the words one after the other. Null stands for what was put in. */
  hasPair(first: string | null, second: string | null): boolean {
    return this.#pairs.has(`${first ?? variable} ${second ?? variable}`);
  }
}

function* literalsBelow(root: string): Generator<string> {
  for (const folder of ['dist/bundle', 'dist/cli']) {
    const directory = join(root, folder);
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory).filter((each) => each.endsWith('.js'))) {
      for (const [, double, single, template] of readFileSync(join(directory, name), 'utf8').matchAll(
        literal,
      )) {
        yield* piecesOf(double ?? single ?? template ?? '');
      }
    }
  }
}

/** A template within a template is cut where it begins. */
function piecesOf(text: string): readonly string[] {
  const whole = decoded(text.replace(/\$\{[^{}]*\}/g, ` ${variable} `));
  // A variable may stand beside a word, such as in "(${reason})".
  return [decoded(text), whole.replace(/\s+/g, ' ').trim()];
}
