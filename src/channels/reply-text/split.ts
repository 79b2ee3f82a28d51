import { graphemeEnd } from './graphemes.js';
import type { StyledText, TextRun, TextStyle } from './styled-text.js';

/** One limit of a part. What it counts adds up over the characters and the runs of the part. */
export interface PartLimit {
  readonly most: number;
  readonly ofCharacter: (codePoint: number) => number;
  /** The marks around a run of this style. Default: 0. */
  readonly ofStyle?: (style: TextStyle) => number;
}

/** A cut that leaves less of a part than this is not made. */
const leastShare = 1 / 4;

/**
 * Cuts text into parts that are within all limits: between paragraphs if it can, else between lines, sentences or words,
 * and never within a character as people see it, unless that alone is too long. White space at a cut is left out. Parts
 * of white space alone are, too. Each is made when it is asked for.
 */
export function splitStyled(runs: StyledText, limits: readonly PartLimit[]): Generator<StyledText, void> {
  return new Splitter(runs, limits).split();
}

/** A part ends before `end`, and the next one begins at `next`. */
interface Cut {
  readonly end: number;
  readonly next: number;
}

class Splitter {
  /** `costs`: what the marks of the run take of each limit. */
  readonly #runs: readonly (TextRun & { readonly start: number; readonly costs: readonly number[] })[];
  readonly #limits: readonly PartLimit[];
  readonly #text: string;

  constructor(runs: StyledText, limits: readonly PartLimit[]) {
    let start = 0;
    this.#runs = runs.map((run) => {
      start += run.text.length;
      const costs = limits.map(({ ofStyle }) => ofStyle?.(run.style) ?? 0);
      return { ...run, start: start - run.text.length, costs };
    });
    this.#limits = limits;
    this.#text = runs.map(({ text }) => text).join('');
  }

  *split(): Generator<StyledText, void> {
    let start = 0;
    while (start < this.#text.length) {
      const fitting = this.#fittingEnd(start);
      const isLast = fitting === this.#text.length;
      const { end, next } = isLast ? { end: fitting, next: fitting } : this.#cut(start, fitting);
      if (/\S/.test(this.#text.slice(start, end))) yield this.#slice(start, end);
      start = next;
    }
  }

  /** The end of the longest part that begins here: behind one character at least. */
  #fittingEnd(start: number): number {
    const left = this.#limits.map(({ most }) => most);
    let index = this.#runAt(start);
    let at = start;
    for (let run = this.#runs[index]; run !== undefined; index += 1, run = this.#runs[index]) {
      for (const [limit, cost] of run.costs.entries()) left[limit] = (left[limit] ?? 0) - cost;
      const runEnd = run.start + run.text.length;
      while (at < runEnd) {
        const codePoint = this.#text.codePointAt(at) ?? 0;
        for (const [limit, { ofCharacter }] of this.#limits.entries())
          left[limit] = (left[limit] ?? 0) - ofCharacter(codePoint);
        if (at > start && left.some((amount) => amount < 0)) return at;
        at += codePoint > 0xffff ? 2 : 1;
      }
    }
    return at;
  }

  #cut(start: number, fitting: number): Cut {
    const least = start + Math.max(1, Math.floor((fitting - start) * leastShare));
    return (
      this.#paragraphCut(start, least, fitting) ??
      this.#lineCut(start, least, fitting) ??
      this.#sentenceCut(start, least, fitting) ??
      this.#wordCut(start, least, fitting) ??
      this.#characterCut(start, fitting)
    );
  }

  #paragraphCut(start: number, least: number, fitting: number): Cut | null {
    for (let at = fitting; at >= least; at -= 1) {
      const isBlank = this.#text.charAt(at) === '\n' && this.#text.charAt(at - 1) === '\n';
      if (isBlank && !this.#isInCode(at)) return this.#around(start, at);
    }
    return null;
  }

  #lineCut(start: number, least: number, fitting: number): Cut | null {
    for (let at = fitting; at >= least; at -= 1) {
      if (this.#text.charAt(at) !== '\n') continue;
      // The next part's code keeps its indentation and its blank lines.
      return this.#isInCode(at) ? { end: at, next: at + 1 } : this.#around(start, at);
    }
    return null;
  }

  #sentenceCut(start: number, least: number, fitting: number): Cut | null {
    for (let at = fitting; at >= least; at -= 1) {
      if (this.#isInCode(at)) continue;
      const before = this.#text.slice(Math.max(0, at - 2), at);
      if (/[\u3002\uff01\uff1f]$/.test(before) && !this.#isAttached(at)) return { end: at, next: at };
      if (this.#isSpace(at) && /[.!?\u2026]["'\u201d\u2019)\]*]?$/.test(before))
        return this.#around(start, at);
    }
    return null;
  }

  #wordCut(start: number, least: number, fitting: number): Cut | null {
    for (let at = fitting; at >= least; at -= 1) {
      if (!this.#isSpace(at)) continue;
      if (!this.#isInCode(at)) return this.#around(start, at);
      if (at < fitting) return { end: at + 1, next: at + 1 };
    }
    return null;
  }

  #characterCut(start: number, fitting: number): Cut {
    const end = graphemeEnd(this.#text, start, fitting);
    // A character alone is too long: it is cut between code points.
    return end === start ? { end: fitting, next: fitting } : { end, next: end };
  }

  /** Leaves white space around the index out; the indentation of a line stays. */
  #around(start: number, at: number): Cut {
    let end = at;
    while (end > start && /\s/.test(this.#text.charAt(end - 1)) && !this.#isInCode(end - 1)) end -= 1;
    const isLine = /\n/.test(this.#text.slice(end, at + 1));
    let next = at;
    while (next < this.#text.length && /\s/.test(this.#text.charAt(next)) && !this.#isInCode(next)) {
      if (isLine && this.#text.charAt(next) !== '\n') break;
      next += 1;
    }
    return { end, next };
  }

  /** A space that a mark stands on is part of a character. */
  #isSpace(at: number): boolean {
    return /[ \t\u3000]/.test(this.#text.charAt(at)) && !this.#isAttached(at + 1);
  }

  #isAttached(at: number): boolean {
    return /^(?:\p{M}|\u200d)/u.test(this.#text.slice(at, at + 2));
  }

  #isInCode(at: number): boolean {
    return this.#runs[this.#runAt(at)]?.style.block !== undefined;
  }

  /** The index of the run that has the character. */
  #runAt(at: number): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#runs[middle]?.start ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #slice(start: number, end: number): StyledText {
    const part: TextRun[] = [];
    for (let index = this.#runAt(start); index < this.#runs.length; index += 1) {
      const run = this.#runs[index];
      if (run === undefined || run.start >= end) break;
      const text = run.text.slice(Math.max(0, start - run.start), end - run.start);
      if (text !== '') part.push({ text, style: run.style });
    }
    return part;
  }
}
