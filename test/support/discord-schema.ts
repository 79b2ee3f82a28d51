import { z } from 'zod';

/** What Discord takes (discord.com/developers/docs), as far as the gateway uses it; anything else is a mistake. */

const id = z.string().regex(/^[1-9]\d{16,19}$/);

const allowedMentions = z.strictObject({
  parse: z.array(z.enum(['roles', 'users', 'everyone'])),
  replied_user: z.boolean().optional(),
});

export const createMessage = z
  .strictObject({
    content: z.string().max(2_000).optional(),
    nonce: z.union([z.string().max(25), z.int()]).optional(),
    enforce_nonce: z.boolean().optional(),
    tts: z.boolean().optional(),
    flags: z.int().optional(),
    allowed_mentions: allowedMentions,
    message_reference: z
      .strictObject({ message_id: id, channel_id: id.optional(), fail_if_not_exists: z.boolean().optional() })
      .optional(),
    attachments: z
      .array(z.strictObject({ id: z.int(), filename: z.string().min(1) }))
      .max(10)
      .optional(),
  })
  .refine(({ content, attachments }) => (content ?? '').trim() !== '' || (attachments ?? []).length > 0, {
    message: 'Cannot send an empty message',
  });

export const editMessage = z.strictObject({
  content: z.string().min(1).max(2_000),
  allowed_mentions: allowedMentions,
});

export const query = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,20}$/)
    .optional(),
  before: z
    .string()
    .regex(/^\d{1,20}$/)
    .optional(),
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/)
    .optional(),
});

/** What a client sends by the gateway, by its opcode. */
export const clientPayloads: Readonly<Record<number, z.ZodType>> = {
  1: z.int().nullable(),
  2: z.looseObject({
    token: z.string(),
    intents: z.int(),
    properties: z.looseObject({ os: z.string(), browser: z.string(), device: z.string() }),
    compress: z.literal(false).optional(),
  }),
  6: z.looseObject({ token: z.string(), session_id: z.string(), seq: z.int() }),
};

export function mistakeOf(schema: z.ZodType, value: unknown): string | null {
  const parsed = schema.safeParse(value);
  if (parsed.success) return null;
  const [issue] = parsed.error.issues;
  return `${issue?.path.join('.')}: ${issue?.message}`;
}
