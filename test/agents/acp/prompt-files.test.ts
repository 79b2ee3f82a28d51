import { expect, test } from 'vitest';
import { carriedFiles, type PromptContent } from '../../../src/agents/acp/prompt-files.js';
import { AgentError } from '../../../src/agents/agent.js';
import { agentFile } from '../../support/agent-request.js';

const nothing: PromptContent = { image: false, audio: false, embeddedContext: false };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const named = (name: string, why: string) => ({
  type: 'text',
  text: expect.stringMatching(
    new RegExp(`^\\[The file "${name}" \\(.*\\) came with the message, and .*${why}`),
  ),
});

const files = {
  picture: agentFile('a.png', 'picture', 'image/png'),
  sound: agentFile('a.ogg', 'sound', 'audio/ogg'),
  words: agentFile('b c.md', 'words', 'text/markdown'),
  page: agentFile('a.pdf', 'page', 'application/pdf'),
  latin: agentFile('l.txt', Buffer.from([0xe4]), 'text/plain'),
};

test.each<[string, PromptContent, keyof typeof files, object]>([
  [
    'an image',
    { ...nothing, image: true },
    'picture',
    { type: 'image', data: base64('picture'), mimeType: 'image/png' },
  ],
  [
    'a sound',
    { ...nothing, audio: true },
    'sound',
    { type: 'audio', data: base64('sound'), mimeType: 'audio/ogg' },
  ],
  ['a text', nothing, 'words', { type: 'text', text: 'File "b c.md" (text/markdown):\n\nwords' }],
  [
    'a text where resources are taken',
    { ...nothing, embeddedContext: true },
    'words',
    { type: 'resource', resource: { uri: 'attachment:b%20c.md', mimeType: 'text/markdown', text: 'words' } },
  ],
  [
    'another file where resources are taken',
    { ...nothing, embeddedContext: true },
    'page',
    {
      type: 'resource',
      resource: { uri: 'attachment:a.pdf', mimeType: 'application/pdf', blob: base64('page') },
    },
  ],
  [
    'an image where only resources are taken',
    { ...nothing, embeddedContext: true },
    'picture',
    {
      type: 'resource',
      resource: { uri: 'attachment:a.png', mimeType: 'image/png', blob: base64('picture') },
    },
  ],
  [
    'a text that is not UTF-8 where resources are taken',
    { ...nothing, embeddedContext: true },
    'latin',
    { type: 'resource', resource: { uri: 'attachment:l.txt', mimeType: 'text/plain', blob: '5A==' } },
  ],
  ['an image that is not taken', { ...nothing, audio: true }, 'picture', named('a.png', 'none of this type')],
  ['a sound that is not taken', { ...nothing, image: true }, 'sound', named('a.ogg', 'none of this type')],
  [
    'another file',
    { image: true, audio: true, embeddedContext: false },
    'page',
    named('a.pdf', 'none of this type'),
  ],
  ['a text that is not UTF-8', nothing, 'latin', named('l.txt', 'no text in UTF-8')],
])('%s is carried in the prompt as far as the agent takes it', async (_, takes, file, block) => {
  expect(await carriedFiles([files[file]], takes)).toEqual([block]);
});

test('files beyond 2 MiB in all are named, and smaller ones behind them carried', async () => {
  const takes = { ...nothing, image: true };
  const large = agentFile('large.png', Buffer.alloc(1024 ** 2 + 1), 'image/png');
  expect(await carriedFiles([large, { ...large, name: 'second.png' }, files.picture], takes)).toMatchObject([
    { type: 'image' },
    named('second.png', 'a prompt has 2097152 bytes of files at most'),
    { type: 'image', data: base64('picture') },
  ]);
});

test('a file that is gone fails the turn', async () => {
  const gone = { ...files.words, open: async () => null };
  await expect(carriedFiles([gone], nothing)).rejects.toThrow(AgentError);
});
