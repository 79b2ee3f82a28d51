/** Text with its styles as a flat list of runs: any piece of it can be cut out, and is shown by itself. */
export type StyledText = readonly TextRun[];

export interface TextRun {
  readonly text: string;
  readonly style: TextStyle;
}

export interface TextStyle {
  readonly bold?: true;
  readonly italic?: true;
  readonly strike?: true;
  /** Inline code. */
  readonly code?: true;
  /** The URL of a link. */
  readonly link?: string;
  /** A block quote. */
  readonly quote?: true;
  /** A code block. */
  readonly block?: CodeBlock;
}

export interface CodeBlock {
  /** Empty: it names none. */
  readonly language: string;
  /** The line around it in the source. Default: three backticks. */
  readonly mark?: string;
}

export const noStyle: TextStyle = {};

/** Collects runs, and joins neighbours of one style. */
export class StyledTextBuilder {
  readonly #runs: { text: string; readonly style: TextStyle }[] = [];

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  append(text: string, style: TextStyle): void {
    if (text === '') return;
    const last = this.#runs.at(-1);
    if (last !== undefined && isSameStyle(last.style, style)) last.text += text;
    else this.#runs.push({ text, style });
  }

  appendAll(runs: StyledText): void {
    for (const { text, style } of runs) this.append(text, style);
  }

  build(): StyledText {
    return this.#runs;
  }
}

/** The text alone. */
export function textOf(runs: StyledText): string {
  return runs.map(({ text }) => text).join('');
}

function isSameStyle(a: TextStyle, b: TextStyle): boolean {
  return (
    a === b ||
    (a.bold === b.bold &&
      a.italic === b.italic &&
      a.strike === b.strike &&
      a.code === b.code &&
      a.link === b.link &&
      a.quote === b.quote &&
      // Two blocks of one language are two.
      a.block === b.block)
  );
}

/** True if the text of a link tells its URL. */
export function isShown(link: string, linked: string): boolean {
  return linked.includes(link) || linked === link.replace(/^(?:https?:\/\/|mailto:)/, '');
}
