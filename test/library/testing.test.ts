import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { barrier, fdStore, notify } from '../../src/library/index.js';
import { type FakeManager, fakeManager } from '../../src/library/testing.js';

/** As a process of its own loads it. */
const built = new URL('../../dist/library/index.js', import.meta.url).href;

let manager: FakeManager;

function use(options?: Parameters<typeof fakeManager>[0]): void {
  manager?.close();
  manager = fakeManager(options);
  process.env['NOTIFY_SOCKET'] = manager.address;
}

beforeEach(() => use());

afterEach(() => {
  delete process.env['NOTIFY_SOCKET'];
  manager.close();
});

describe('a fake manager', () => {
  it('has what was sent at once, with its sender', () => {
    notify({ ready: true, status: 'ä€😀' });
    expect(manager.messages).toEqual([
      {
        text: 'READY=1\nSTATUS=ä€😀',
        fields: { READY: '1', STATUS: 'ä€😀' },
        pid: process.pid,
        uid: process.getuid?.(),
        gid: process.getgid?.(),
        descriptors: 0,
      },
    ]);
  });

  it('gives messages one by one, and waits for those to come', async () => {
    notify({ status: 'one' });
    notify({ status: 'two' });
    expect((await manager.next()).text).toBe('STATUS=one');
    setTimeout(() => notify({ ready: true }), 5);
    expect((await manager.next(({ fields }) => fields['READY'] === '1')).text).toBe('READY=1');
  });

  it('answers barriers', async () => {
    expect(await barrier(5_000)).toEqual({ outcome: 'acknowledged' });
  });

  it('answers them late if asked to', async () => {
    use({ answersBarriers: false });
    const answered = barrier(5_000);
    expect(manager.waitingBarriers).toBe(1);
    manager.answerBarriers();
    expect(await answered).toEqual({ outcome: 'acknowledged' });
  });

  it('keeps descriptors up to its bound, and removes them', () => {
    use({ fdStoreMax: 2 });
    fdStore.put('a', 0);
    fdStore.put('b', [0, 0]);
    expect([...manager.stored].map(([name, fds]) => [name, fds.length])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    fdStore.remove('a');
    expect([...manager.stored.keys()]).toEqual(['b']);
  });

  it('serves a process of its own', async () => {
    const environment = { ...process.env, ...manager.environment };
    const program = `import { notify } from ${JSON.stringify(built)}; notify({ ready: true });`;
    const words = ['--input-type=module', '--eval', program];
    const { pid, status } = spawnSync(process.execPath, words, { env: environment });
    expect(status).toBe(0);
    expect(await manager.next()).toMatchObject({ text: 'READY=1', pid });
  });

  it('refuses wrong options', () => {
    expect(() => fakeManager({ fdStoreMax: -1 })).toThrow(
      expect.objectContaining({ argument: 'fdStoreMax' }),
    );
  });

  it('closes for good', async () => {
    manager.close();
    manager.close();
    await expect(manager.next()).rejects.toThrow('closed');
  });
});
