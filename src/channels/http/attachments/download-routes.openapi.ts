import { z } from 'zod';
import type { HeaderDescription, HttpMethod, Operation } from '../openapi/operation.js';
import { ofMessage } from '../openapi/parameters.js';

const path = {
  ...ofMessage,
  number: z.string().meta({ description: 'The place of the file; the first one is 1.', examples: ['1'] }),
};

const headers: Readonly<Record<string, HeaderDescription>> = {
  'Content-Length': { description: 'The size in bytes.', schema: z.int().min(0), always: true },
  'Content-Disposition': {
    description: 'Has the file name: a browser is to save it.',
    schema: z.string(),
    always: true,
  },
  'Content-Security-Policy': { description: 'Nothing of it may run.', schema: z.string(), always: true },
  'X-Content-Type-Options': {
    description: 'The media type is not to be guessed.',
    schema: z.literal('nosniff'),
    always: true,
  },
  'Cache-Control': { description: 'No cache keeps it.', schema: z.literal('no-store'), always: true },
};

function download(
  url: string,
  method: HttpMethod,
  { id, summary }: { readonly id: string; readonly summary: string },
): Operation {
  const content = { '*/*': { bytes: 'The file. The media type is the one that its sender gave.' } };
  return {
    method,
    url,
    id,
    tag: 'Messages',
    summary,
    path,
    answers: { 200: { description: 'The file.', headers, ...(method === 'GET' && { content }) } },
    problems: ['unknown-message', 'unknown-attachment'],
  };
}

const ofMessages = '/v1/messages/:id/attachments/:number';
const ofReplies = '/v1/messages/:id/reply/attachments/:number';

export const downloadOperations: readonly Operation[] = [
  download(ofMessages, 'GET', {
    id: 'getMessageAttachment',
    summary: 'Download a file of a message',
  }),
  download(ofMessages, 'HEAD', {
    id: 'headMessageAttachment',
    summary: 'Ask for the size and type of a file of a message',
  }),
  download(ofReplies, 'GET', { id: 'getReplyAttachment', summary: 'Download a file of a reply' }),
  download(ofReplies, 'HEAD', {
    id: 'headReplyAttachment',
    summary: 'Ask for the size and type of a file of a reply',
  }),
];
