import { z } from 'zod';
import type { Operation } from './openapi/operation.js';
import type { Described } from './openapi/parts.js';
import { describeMembers } from './openapi/schemas.js';
import { replyBody, replyFile } from './request-schema.js';

describeMembers(replyFile, {
  name: 'The file name.',
  media_type: { description: 'The media type.', examples: ['text/plain'] },
  data: { description: 'The content.', contentEncoding: 'base64', examples: ['aGVsbG8='] },
});
z.globalRegistry.add(replyFile, { id: 'ReplyFile', description: 'A file of a reply.' });
describeMembers(replyBody, {
  text: { description: 'The reply, which may be empty.', examples: ['At last'] },
  metadata: 'Goes with the reply. At most 16 KiB and 16 levels.',
  attachments: 'Its files.',
});
z.globalRegistry.add(replyBody, { id: 'LateReply', description: 'The reply of a turn.' });

const taken = z
  .object({ turn_id: z.string(), state: z.literal('replied') })
  .meta({ id: 'TakenReply', description: 'The reply is on disk.' });

export type TakenReply = Described<typeof taken>;

export const replyOperations: readonly Operation[] = [
  {
    method: 'POST',
    url: '/v1/turns/:turn/reply',
    id: 'postTurnReply',
    tag: 'Agents',
    summary: 'Send the reply of a turn that the agent has answered with 202',
    description: 'For agents of type `http`. The same reply again is the same answer again.',
    path: {
      turn: z.string().meta({
        description: 'The id of the turn.',
        examples: ['turn_01a229f678fe70f4acd0fe9e7e94c884'],
      }),
    },
    access: 'reply-token',
    body: {
      required: true,
      content: { 'application/json': replyBody },
      examples: { text: { text: 'At last' } },
    },
    answers: { 200: { description: 'The reply is on disk.', content: { 'application/json': taken } } },
    problems: ['turn-ended'],
  },
];
