import { type PartLimit, splitStyled } from './split.js';
import { type StyledText, textOf } from './styled-text.js';

/** The form in which a platform takes text. */
export interface ReplyForm {
  /** Reads Markdown, and turns what the platform can't show into text. */
  readonly read: (markdown: string) => StyledText;
  readonly limits: readonly PartLimit[];
  readonly render: (text: StyledText) => string;
}

export interface FormedPart {
  /** In the platform's form. */
  readonly formed: string;
  /** The text alone, for a platform that refuses the form after all. */
  readonly plain: string;
}

/**
 * Cuts a reply, which is Markdown, into parts in the platform's form: each is within its limits and is valid by itself.
 * The same text gives the same parts. There are none if the text is white space.
 */
export function formReply(markdown: string, form: ReplyForm): readonly FormedPart[] {
  return [...splitStyled(form.read(markdown), form.limits)].map((part) => formedPart(part, form));
}

function formedPart(part: StyledText, { render }: ReplyForm): FormedPart {
  return { formed: render(part), plain: textOf(part) };
}

/** Characters of Markdown that are read for the first part. Platforms take up to 4,096 of text in one. */
const longestBeginning = 16 * 1_024;

/** The first part of a text that grows, in time that does not grow with it; null: there is nothing to be seen yet. */
export function formBeginning(markdown: string, form: ReplyForm): FormedPart | null {
  // Not within a surrogate pair.
  const beginning = markdown
    .trimStart()
    .slice(0, longestBeginning)
    .replace(/[\uD800-\uDBFF]$/, '');
  const [first] = splitStyled(form.read(beginning), form.limits);
  return first === undefined ? null : formedPart(first, form);
}
