import { describe, expect, it, test } from 'vitest';
import type { ListenAddress } from '../../src/config/values.js';
import {
  connectionName,
  isListenerName,
  listenerName,
  planSockets,
} from '../../src/gateway/sockets/fd-store-sockets.js';
import { RefusedStart } from '../../src/gateway/start/failed-start.js';
import { formatNotification } from '../../src/systemd/notify.js';

const tcp: ListenAddress = { kind: 'tcp', host: '127.0.0.1', port: 8733 };
const v6: ListenAddress = { kind: 'tcp', host: '::1', port: 8733 };
const unix: ListenAddress = { kind: 'unix', path: '/run/a:b/http.sock' };
const kept = (address: string, fd: number) => ({ fd, name: listenerName(address) });
const unitSocket = { fd: 3, name: 'http' };
const connection = { fd: 9, name: connectionName };
const endpoint = { kind: 'descriptor', descriptor: 3, name: 'http' };

describe('what becomes of the passed descriptors', () => {
  it.for([
    ['nothing passed', tcp, [], { endpoints: [tcp], connections: [], stale: [] }],
    [
      'the kept one fits',
      tcp,
      [kept('127.0.0.1:8733', 4), connection],
      { endpoints: [{ ...tcp, kept: 4 }], connections: [9], stale: [] },
    ],
    ['IPv6', v6, [kept('[::1]:8733', 4)], { endpoints: [{ ...v6, kept: 4 }], connections: [], stale: [] }],
    [
      'a path',
      unix,
      [kept('unix:/run/a:b/http.sock', 4)],
      { endpoints: [{ ...unix, kept: 4 }], connections: [], stale: [] },
    ],
    [
      'another address since: the connections stay',
      tcp,
      [kept('127.0.0.1:9000', 4), connection],
      { endpoints: [tcp], connections: [9], stale: [kept('127.0.0.1:9000', 4)] },
    ],
    [
      'two of one name, which the store forgets together',
      tcp,
      [kept('127.0.0.1:8733', 4), kept('127.0.0.1:8733', 5)],
      {
        endpoints: [tcp],
        connections: [],
        stale: [kept('127.0.0.1:8733', 4), kept('127.0.0.1:8733', 5)],
      },
    ],
    [
      'a socket unit comes first',
      tcp,
      [unitSocket, kept('127.0.0.1:8733', 4), connection],
      { endpoints: [endpoint], connections: [9], stale: [kept('127.0.0.1:8733', 4)] },
    ],
    [
      'only a socket unit',
      { kind: 'systemd', name: 'http' },
      [unitSocket, { fd: 4, name: 'other' }],
      { endpoints: [endpoint], connections: [], stale: [] },
    ],
  ] as const)('%s', ([, listen, passed, plan]) => {
    expect(planSockets(listen, passed, () => true)).toEqual(plan);
  });

  test('one of another network namespace is bound anew, but for a path', () => {
    const one = kept('127.0.0.1:8733', 4);
    const plan = { endpoints: [tcp], connections: [9], stale: [one], elsewhere: true };
    expect(planSockets(tcp, [one, connection], (fd) => fd !== 4)).toEqual(plan);
    const path = kept('unix:/run/a:b/http.sock', 4);
    expect(planSockets(unix, [path], () => false).endpoints).toEqual([{ ...unix, kept: 4 }]);
  });

  test('what was kept is no socket of a socket unit', () => {
    const passed = [kept('127.0.0.1:8733', 3), connection];
    const plan = () => planSockets({ kind: 'systemd', name: null }, passed, () => true);
    expect(plan).toThrow(RefusedStart);
    expect(plan).toThrow('passed none');
  });
});

describe('the name of a kept socket', () => {
  it.for(['127.0.0.1:8733', '[::1]:1', 'unix:/run/ü/a b:c', `unix:/${'ü'.repeat(53)}`])('%s', (address) => {
    const name = listenerName(address);
    expect(formatNotification({ fdStore: true, fdName: name })).toBe(`FDSTORE=1\nFDNAME=${name}`);
    expect(isListenerName(name)).toBe(true);
    expect(name).not.toBe(listenerName(`${address}0`));
  });
});
