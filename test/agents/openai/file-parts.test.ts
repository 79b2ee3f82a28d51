import { describe, expect, it } from 'vitest';
import { fileParts } from '../../../src/agents/openai/file-parts.js';
import { agentFile } from '../../support/agent-request.js';

const plenty = 1_000;

describe('files of a message', () => {
  it('are images, documents and texts, in their order', async () => {
    const files = [
      agentFile('a.png', 'png', 'image/png'),
      agentFile('b.pdf', 'pdf', 'application/pdf'),
      agentFile('c.md', '# c', 'text/markdown'),
      agentFile('d.json', '{}', 'application/ld+json'),
    ];
    expect(await fileParts(files, plenty)).toEqual([
      { type: 'image_url', image_url: { url: 'data:image/png;base64,cG5n' } },
      { type: 'file', file: { filename: 'b.pdf', file_data: 'data:application/pdf;base64,cGRm' } },
      { type: 'text', text: 'File "c.md" (text/markdown):\n\n# c' },
      { type: 'text', text: 'File "d.json" (application/ld+json):\n\n{}' },
    ]);
  });

  it.each([
    ['of another type', agentFile('a.zip', 'zip', 'application/zip'), 'can’t be shown here'],
    ['that is no text', agentFile('a.txt', Buffer.of(0xff), 'text/plain'), 'can’t be shown here'],
    [
      'that is too large',
      agentFile('a.png', 'x'.repeat(1_001), 'image/png'),
      'is too large to be shown here',
    ],
  ])('are only named, if one is %s', async (_what, file, why) => {
    const [part, ...others] = await fileParts([file], plenty);
    expect(part).toMatchObject({ type: 'text', text: expect.stringContaining(`"${file.name}"`) });
    expect(part).toMatchObject({ text: expect.stringContaining(why) });
    expect(others).toEqual([]);
  });

  it('have a budget together', async () => {
    const files = [
      agentFile('a', 'x'.repeat(600)),
      agentFile('b', 'x'.repeat(600)),
      agentFile('c', 'x'.repeat(400)),
    ];
    const parts = await fileParts(files, plenty);
    expect(parts.map((part) => JSON.stringify(part).includes('too large'))).toEqual([false, true, false]);
  });

  it('fail the turn for good if one is gone', async () => {
    const gone = { ...agentFile('a.png', 'a', 'image/png'), open: async () => null };
    await expect(fileParts([gone], plenty)).rejects.toMatchObject({ reason: 'failed', retry: false });
  });
});
