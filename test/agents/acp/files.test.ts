import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { agentFile, fileTaker } from '../../support/agent-request.js';
import { failure, Place, turn } from './fixture.js';

const files = [agentFile('a.png', 'picture', 'image/png'), agentFile('b c.txt', 'words')];

/** The blocks of the last prompt behind its text. */
function blocksOf(place: Place): readonly object[] {
  const prompts = place.asked().filter(({ method }) => method === 'session/prompt');
  const params = prompts.at(-1)?.params as { readonly prompt: readonly object[] } | undefined;
  return params?.prompt.slice(1) ?? [];
}

describe('files of a message', () => {
  test('are images and links to copies, if the agent takes images', async () => {
    const place = new Place();
    const { reply } = await turn(place.agent({ images: true }), 'cat', { files });
    expect(reply?.text).toBe('words');
    expect(blocksOf(place)).toMatchObject([
      { type: 'image', mimeType: 'image/png', data: Buffer.from('picture').toString('base64') },
      { type: 'resource_link', name: 'b c.txt', mimeType: 'text/plain', size: 5 },
    ]);
    const copies = join(place.directory, 'files');
    expect(existsSync(copies) ? readdirSync(copies) : []).toEqual([]);
  });

  test('are all links, if it does not', async () => {
    const place = new Place();
    const { reply } = await turn(place.agent(), 'cat', { files });
    expect(reply?.text).toBe('picturewords');
    expect(blocksOf(place)).toMatchObject([{ type: 'resource_link' }, { type: 'resource_link' }]);
  });

  test('may have no text, and the prompt has none then', async () => {
    const place = new Place();
    await turn(place.agent(), '', { files, attempt: 1 });
    const [prompt] = place.asked().filter(({ method }) => method === 'session/prompt');
    const { prompt: blocks } = (prompt?.params ?? {}) as { readonly prompt?: readonly object[] };
    expect(blocks).toMatchObject([{ type: 'resource_link' }, { type: 'resource_link' }]);
  });

  test('are links, if they are too large for one line', async () => {
    const place = new Place();
    const large = agentFile('a.png', Buffer.alloc(3 * 1024 ** 2), 'image/png');
    await turn(place.agent({ images: true }), 'say x', { files: [large] });
    expect(blocksOf(place)).toMatchObject([{ type: 'resource_link' }]);
  });
});

describe('files of a reply', () => {
  const block = (data: string) => `file ${JSON.stringify({ type: 'image', mimeType: 'image/png', data })}`;

  test('are stored, with or without a text', async () => {
    const { addFile, taken } = fileTaker();
    const { reply } = await turn(new Place().agent(), [block('YQ=='), block('Yg==')], { addFile });
    expect(reply).toMatchObject({ text: '', attachments: [{ name: 'image.png' }, { name: 'image.png' }] });
    expect(taken.map(({ content }) => content)).toEqual(['a', 'b']);
  });

  test('fail the turn, if they are too large', async () => {
    const { addFile } = fileTaker();
    const error = await failure(new Place().agent(), block('YWFhYWFhYWFhYWFhYWFhYQ=='), { addFile });
    expect(error).toMatchObject({
      reason: 'bad-reply',
      message: expect.stringContaining('attachments.file_limit'),
    });
  });
});
