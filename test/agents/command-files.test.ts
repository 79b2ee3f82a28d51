import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentRequest } from '../../src/agents/agent.js';
import { CommandAgent } from '../../src/agents/command.js';
import { removePlacedFiles } from '../../src/agents/placed-files.js';
import { replyOf } from '../../src/agents/reply-of.js';
import { StoreError } from '../../src/store/store-error.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { agentFile, agentRequest, fileTaker } from '../support/agent-request.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'command-files-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(
  script: string,
  changes: Partial<AgentRequest>,
  output: 'text' | 'jsonl' = 'text',
  input: 'text' | 'json' = 'json',
) {
  const agent = new CommandAgent({
    command: ['/bin/sh', '-c', script],
    timeout: 15_000,
    killDelay: 1_000,
    replyLimit: 100_000,
    input,
    output,
    directory,
    environment: process.env,
    env: [],
    memoryMax: null,
    groups: null,
    log: new RecordingLog(),
    processes: new Set(),
  });
  return replyOf(agent.run(agentRequest(changes), new AbortController().signal));
}

const copies = () => (existsSync(join(directory, 'files')) ? readdirSync(join(directory, 'files')) : []);

describe('a command gets the files of a message', () => {
  const files = [agentFile('a b.txt', 'one'), agentFile('a b.txt', Buffer.alloc(300_000, 'x'))];

  test('as copies that are there while its turn runs', async () => {
    const script = `cat; stat -c '%a %s' ${directory}/files/*/*/*`;
    const { text } = await run(script, { files });
    const [input = '', ...modes] = text.split('\n');
    expect(JSON.parse(input).attachments).toMatchObject([
      { name: 'a b.txt', media_type: 'text/plain', size: 3, file: expect.stringMatching(/\/1\/a b\.txt$/) },
      { size: 300_000, sha256: files[1]?.sha256, file: expect.stringMatching(/\/2\/a b\.txt$/) },
    ]);
    expect(modes).toEqual(['400 3', '400 300000']);
    expect(copies()).toEqual([]);
  });

  test('as their places, if it reads text and the message has none', async () => {
    const { text } = await run(
      'read -r one; read -r two; cat "$one"; stat -c %s "$two"; cat',
      { files, text: '' },
      'text',
      'text',
    );
    expect(text).toBe('one300000');
  });

  test('and none of them stays when it fails', async () => {
    await expect(run('exit 3', { files })).rejects.toMatchObject({ reason: 'failed' });
    expect(copies()).toEqual([]);
  });

  test('or fails for good if one is gone', async () => {
    const gone = { ...agentFile('a', 'a'), open: async () => null };
    const failure = run('true', { files: [...files, gone] });
    await expect(failure).rejects.toMatchObject({ reason: 'failed', retry: false });
    expect(copies()).toEqual([]);
  });

  test('and the next start removes what a crash has left', async () => {
    mkdirSync(join(directory, 'files/x/1'), { recursive: true });
    writeFileSync(join(directory, 'files/x/1/a'), 'a');
    symlinkSync(tmpdir(), join(directory, 'files/link'));
    await removePlacedFiles(directory);
    expect(copies()).toEqual([]);
    expect(existsSync(tmpdir())).toBe(true);
  });
});

describe('a command gives files with its reply', () => {
  const line = (event: object) => `echo '${JSON.stringify({ type: 'file', ...event })}'`;

  test('by naming them', async () => {
    const { taken, addFile } = fileTaker();
    const script = [
      'mkdir -p out; echo 1 >out/plot.png; echo 2 >notes',
      line({ path: 'out/plot.png' }),
      line({ path: './notes', name: 'My notes.md', media_type: 'text/markdown' }),
      `echo '{"type":"reply","text":"see"}'`,
    ].join('\n');
    const reply = await run(script, { addFile }, 'jsonl');
    expect(reply).toMatchObject({
      text: 'see',
      attachments: [{ name: 'plot.png' }, { name: 'My notes.md' }],
    });
    expect(taken).toEqual([
      { name: 'plot.png', mediaType: 'image/png', content: '1\n' },
      { name: 'My notes.md', mediaType: 'text/markdown', content: '2\n' },
    ]);
  });

  test.each([
    ['that are outside of its directory', 'true', '../../../etc/passwd', /is not below/],
    ['by a symbolic link', 'ln -sf /etc/passwd link', 'link', /is a symbolic link/],
    ['that are not there', 'true', 'missing', /ENOENT/],
    [
      'that are too large',
      'echo 12345678901 >large',
      'large',
      /larger than 10 bytes \(attachments.file_limit\)/,
    ],
  ])('but none %s', async (_which, script, path, message) => {
    const { addFile, taken } = fileTaker();
    const turn = run(`${script}\n${line({ path })}\nsleep 30`, { addFile }, 'jsonl');
    await expect(turn).rejects.toThrow(message);
    expect(taken).toEqual([]);
  });

  test('which wait while the store has no room', async () => {
    const { addFile, taken } = fileTaker();
    let failures = 0;
    const full: AgentRequest['addFile'] = async (file, content) => {
      failures += 1;
      if (failures === 1) throw new StoreError('full', 'no room');
      return addFile(file, content);
    };
    const reply = await run(`echo 1 >a\n${line({ path: 'a' })}`, { addFile: full }, 'jsonl');
    expect(reply.attachments).toHaveLength(1);
    expect(taken).toMatchObject([{ content: '1\n' }]);
  });

  test('but no more than there may be', async () => {
    const { addFile } = fileTaker(1);
    const turn = run(`echo 1 >a\n${line({ path: 'a' })}\n${line({ path: 'a' })}`, { addFile }, 'jsonl');
    await expect(turn).rejects.toThrow(/one file too many: 1 may be/);
  });
});
