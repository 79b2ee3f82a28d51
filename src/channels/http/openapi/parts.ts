import { z } from 'zod';
import type { Metadata } from '../../../store/messages.js';

/** Nothing of it is changed any more. Objects with any members are so already. */
type Finished<Value> = Value extends object
  ? string extends keyof Value
    ? Value
    : { readonly [Key in keyof Value]: Finished<Value[Key]> }
  : Value;

/** The value that a schema describes, as code makes it. */
export type Described<Schema extends z.ZodType> = Finished<z.output<Schema>>;

/** A time, as `time` of views.ts writes it. */
export const time = (description: string) =>
  z.string().meta({ format: 'date-time', description, examples: ['2026-11-23T14:34:29.666Z'] });

export const messageId = (description: string) =>
  z.string().meta({ format: 'uuid', description, examples: ['01a208d4-6fa1-7405-ae6c-4a944ef783dc'] });

export const sessionOf = (description: string) => z.string().meta({ description, examples: ['chat:42'] });

/** One of some words, to which others may come. A list that stays as it is is an enum. */
export const oneOf = <Word extends string>(words: readonly Word[], description: string) =>
  z.custom<Word>().meta({ type: 'string', 'x-extensible-enum': words, description, examples: [words[0]] });

/** The number of a message in its session. */
export const seq = (description: string) =>
  z
    .int()
    .min(1)
    .meta({ description, examples: [1] });

/** A JSON object with any members. */
export const anyObject = (description: string) =>
  z.custom<Metadata>().meta({ type: 'object', additionalProperties: true, description });

/** A page of a list. */
export const pageOf = <Item extends z.ZodType>(items: Item, description: string) =>
  z
    .object({
      items: z.array(items),
      next: z
        .string()
        .nullable()
        .meta({ description: 'Pass it as `after` to get the next page. Null: there is none.' }),
    })
    .meta({ description });
