import type { Delivery } from '../../store/deliveries.js';
import type { JsonValue } from '../../store/messages.js';
import type { ReplyPart } from '../reply-sender.js';
import { markdownSource } from '../reply-text/markdown-source.js';
import { plainText } from '../reply-text/plain-text.js';
import { formReply } from '../reply-text/reply-form.js';
import { type TextUnit, textUnits } from '../reply-text/text-unit.js';

/** The texts that a program takes, as it says in "ready". */
export interface TextRules {
  readonly limit: number;
  readonly unit: TextUnit;
  readonly form: TextForm;
}

export const textForms = ['markdown', 'plain'] as const;

/** `markdown`: as the agent wrote it. `plain`: without its marks. */
export type TextForm = (typeof textForms)[number];

/**
 * Cuts a reply into the sends that the program takes. A reply of which a part was sent is cut by the rules of that part:
 * by others, text could get lost or come twice.
 *
 * @param rules of the program that runs; null: none does
 */
export function commandParts(delivery: Delivery, rules: TextRules | null): readonly ReplyPart[] {
  const cut = rulesOfFirst(delivery) ?? rules;
  const formed = cut === null ? [] : textsOf(delivery, cut);
  const texts = formed.length === 0 ? [''] : formed;
  const files = delivery.replyAttachments ?? [];
  return texts.map((text, index) => ({
    delivery,
    number: index + 1,
    count: texts.length,
    text,
    ...(index === texts.length - 1 && { files }),
  }));
}

/** The receipt of a part as it is kept: of several, each tells by which rules the reply was cut. */
export function keptReceipt(part: ReplyPart, receipt: JsonValue, rules: TextRules | null): JsonValue {
  const cut = rulesOfFirst(part.delivery) ?? rules;
  if (part.count === 1 || cut === null) return receipt;
  const { limit, unit, form } = cut;
  return { receipt, text: { limit, unit, form } };
}

/** Null: no part was sent, or a version did it that knew no parts. */
function rulesOfFirst({ parts }: Delivery): TextRules | null {
  const first = parts.find(({ part }) => part > 0);
  return first === undefined ? null : rulesOf(first.receipt);
}

function textsOf({ notice, replyText }: Delivery, { limit, unit, form }: TextRules): readonly string[] {
  const isPlain = notice === null && form === 'plain';
  const parts = formReply(notice ?? replyText, (isPlain ? plainText : markdownSource)(limit, unit));
  return parts.map(({ formed }) => formed);
}

function rulesOf(receipt: JsonValue): TextRules | null {
  if (typeof receipt !== 'object' || receipt === null || !('text' in receipt)) return null;
  const { limit, unit, form } = (receipt['text'] ?? {}) as { readonly [key: string]: JsonValue };
  const knownUnit = textUnits.find((each) => each === unit);
  const knownForm = textForms.find((each) => each === form);
  if (typeof limit !== 'number' || knownUnit === undefined || knownForm === undefined) return null;
  return { limit, unit: knownUnit, form: knownForm };
}
