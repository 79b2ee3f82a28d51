import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  newStoreThread,
  startStoreThread,
  useStoreThread,
} from '../../../../src/store/sqlite/thread/store-thread.js';

const module = new URL('../../../../dist/store/sqlite/thread/store-thread.js', import.meta.url);

describe('a thread that was started before its time', () => {
  it('is the next store’s, and no other’s', async () => {
    const before = startStoreThread();
    useStoreThread(newStoreThread());
    const prepared = startStoreThread();
    const next = startStoreThread();
    const { threadId } = before.worker;
    expect(prepared.worker.threadId).toBe(threadId + 1);
    expect(next.worker.threadId).toBe(threadId + 2);
    await Promise.all([before, prepared, next].map(({ worker }) => worker.terminate()));
  });

  it('does not keep a process that opens no store', () => {
    const script = `import('${module}').then(({ newStoreThread }) => newStoreThread())`;
    const { status, signal } = spawnSync(process.execPath, ['-e', script], { timeout: 20_000 });
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });
});
