import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SqliteFactory } from '../sqlite-factory.js';

/**
 * A disk that fails syncs, and then loses its power. The kernel takes what a failed sync didn't write for written, and a
 * later sync doesn't write it again (fsync(2), EIO): so does the simulation of the power cut.
 */
const built = new URL('../../../../dist/store/sqlite/sqlite-store.js', import.meta.url).href;
const program = fileURLToPath(new URL('./failing-process.mjs', import.meta.url));
const sources = fileURLToPath(new URL('../../../crash/inside/', import.meta.url));

let tools: string;
beforeAll(() => {
  tools = mkdtempSync(join(tmpdir(), 'sd-gateway-faults-'));
  const compile = (...words: string[]) => execFileSync('cc', ['-O1', ...words], { cwd: sources });
  compile('-shared', '-fPIC', '-o', join(tools, 'faults.so'), 'faults.c', '-ldl');
  compile('-o', join(tools, 'power-cut'), 'power-cut.c');
});
afterAll(() => rmSync(tools, { recursive: true }));

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
  writeFileSync(beside('control'), Buffer.alloc(4_096));
});
afterEach(() => files.remove());

const beside = (name: string) => join(files.directory, name);

/** Another process takes the steps and is killed; gives what it said. */
async function run(...steps: string[]): Promise<string[]> {
  const child = spawn(process.execPath, [program, built, files.path, ...steps], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      LD_PRELOAD: join(tools, 'faults.so'),
      CRASH_STORE: files.path,
      CRASH_LOG: beside('writes'),
      CRASH_CONTROL: beside('control'),
    },
  });
  const exit = once(child, 'exit');
  const said: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    if (line === 'done') break;
    said.push(line);
  }
  child.kill('SIGKILL');
  await exit;
  return said;
}

/** Takes back all writes that no sync made last. */
function cutPower(): void {
  writeFileSync(beside('order'), '0\n');
  execFileSync(join(tools, 'power-cut'), [files.path, beside('writes'), beside('order')]);
}

/** Texts of the messages that the next start finds. */
async function kept(): Promise<string[]> {
  const store = await files.open();
  const page = await store.sessionMessages('s', { limit: 100, after: null });
  return page?.items.map(({ text }) => text) ?? [];
}

const refused = (step: string) => expect.stringMatching(`^refused ${step}: The disk under the database`);

describe('a message that is answered after a sync has failed survives a power cut,', () => {
  test('with a write before it that was not synced', async () => {
    const said = await run('accept a', 'file', 'fail', 'accept b', 'work', 'accept c');
    expect(said).toEqual([
      'ok accept a',
      'ok file',
      'ok fail',
      refused('accept b'),
      'ok work',
      'ok accept c',
    ]);
    cutPower();
    expect(await kept()).toEqual(['a', 'c']);
  });

  test('with a kill and a start in between', async () => {
    expect(await run('accept a', 'file', 'fail', 'accept b')).toContainEqual(refused('accept b'));
    writeFileSync(beside('control'), Buffer.alloc(4_096));
    expect(await run('accept c')).toContain('ok accept c');
    cutPower();
    // The kill left the refused message in the log, as a client has to expect that sends it again.
    expect(await kept()).toEqual(['a', 'b', 'c']);
  });

  test('with syncs that fail for a while', async () => {
    const said = await run(
      'accept a',
      'file',
      'fail',
      'accept b',
      'accept c',
      'file',
      'accept d',
      'work',
      'accept e',
    );
    expect(said.filter((line) => line.startsWith('refused'))).toEqual(
      ['accept b', 'accept c', 'file', 'accept d'].map(refused),
    );
    cutPower();
    expect(await kept()).toEqual(['a', 'e']);
  });
});

test('a power cut right after the start takes no more than what was not synced', async () => {
  await run('accept a', 'file');
  await run();
  cutPower();
  expect(await kept()).toEqual(['a']);
});

test('where the kernel has lost what a failed sync didn’t write, the thread ends: the next start reads the log up to there', async () => {
  const said = await run('accept a', 'file', 'fail', 'accept b', 'damage', 'work', 'accept c');
  expect(said).not.toContain('ok accept c');
  expect(said).toContainEqual(expect.stringMatching(/^ended: /));
  expect(await kept()).toEqual(['a']);
});
