import { expect, it } from 'vitest';
import { FdStore } from '../../src/systemd/fd-store.js';

it.for([
  ['no service manager', {}, 0],
  ['not even with a size', { FDSTORE: '7' }, 0],
  ['a manager that tells its size', { NOTIFY_SOCKET: '/run/n', FDSTORE: '7' }, 7],
  ['one that keeps nothing', { NOTIFY_SOCKET: '/run/n', FDSTORE: '0' }, 0],
  ['one that is too old to tell', { NOTIFY_SOCKET: '/run/n' }, 512],
  ['nonsense', { NOTIFY_SOCKET: '/run/n', FDSTORE: '-1' }, 512],
] as const)('room for descriptors: %s', ([, environment, capacity]) => {
  expect(new FdStore(environment, 512).capacity).toBe(capacity);
});
