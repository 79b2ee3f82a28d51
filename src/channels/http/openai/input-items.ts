import { z } from 'zod';
import { content } from './content-parts.js';
import type { ChatTurnMessage } from './conversation.js';

/** An item of a response's input: a message, or something of another type, which is passed over. */
export const inputItem = z.union([
  z.looseObject({
    type: z.literal('message').optional(),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content,
  }),
  z
    .looseObject({ type: z.string() })
    .refine(({ type }) => type !== 'message', 'must have a role and a content'),
]);

export type InputItem = z.output<typeof inputItem>;

/** A result of a tool, or a call of one, stands where it stood: nothing can be answered behind it. */
export function messagesOf(items: readonly InputItem[]): readonly ChatTurnMessage[] {
  return items.map((item) =>
    'role' in item && 'content' in item ? (item as ChatTurnMessage) : { role: 'tool', content: null },
  );
}
