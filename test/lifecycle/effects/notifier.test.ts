import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakeManager, fakeManager } from '../../../src/library/testing.js';
import { TimeoutExtender } from '../../../src/lifecycle/effects/notifier.js';

let manager: FakeManager;

beforeEach(() => {
  manager = fakeManager();
  process.env['NOTIFY_SOCKET'] = manager.address;
});

afterEach(() => {
  delete process.env['NOTIFY_SOCKET'];
  manager.close();
});

/** As an endless loop does. */
function blockEventLoop(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

it('a stop that is bound to progress is given no more time while the event loop is blocked', async () => {
  const extender = new TimeoutExtender((report) => expect.unreachable(report.type));
  extender.whileTurning(200);
  blockEventLoop(800);
  // One at once, and one at each half of the 200 ms at the most.
  const blocked = manager.messages.length;
  expect(blocked).toBeGreaterThanOrEqual(1);
  expect(blocked).toBeLessThanOrEqual(4);
  for (let count = 0; count <= blocked; count++) {
    expect((await manager.next()).text).toBe('EXTEND_TIMEOUT_USEC=10000000');
  }
  extender.end();
});
