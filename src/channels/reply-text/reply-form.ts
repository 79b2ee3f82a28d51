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
  return splitStyled(form.read(markdown), form.limits).map((part) => ({
    formed: form.render(part),
    plain: textOf(part),
  }));
}
