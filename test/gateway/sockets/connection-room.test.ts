import { expect, test } from 'vitest';
import { loadConfiguration } from '../../../src/config/load.js';
import { ConnectionRoom } from '../../../src/gateway/sockets/connection-room.js';
import { recordingLog } from '../dispatch/fixture.js';

const { configuration } = loadConfiguration({ file: '/nowhere', required: false, environment: {} });

test('follows what is open without connections, and the configuration that is in force', () => {
  const { log, records } = recordingLog();
  let present = configuration;
  const room = new ConnectionRoom(() => present);
  room.measure(500, log, { limit: 1_024, open: 536 });
  expect(room.bounds()).toEqual({ total: 808, withoutToken: 101 });
  expect(records).toEqual([]);
  present = { ...configuration, dispatch: { ...configuration.dispatch, concurrency: 58 } };
  expect(room.bounds().total).toBe(808 - 3 * 50);
});

test('warns of a limit that is too low, and names one that is not', () => {
  const { log, records } = recordingLog();
  const room = new ConnectionRoom(() => configuration);
  room.measure(0, log, { limit: 48, open: 36 });
  expect(records).toEqual([
    {
      priority: 'warning',
      message: expect.stringMatching(
        /may have 48 files open.*may be 6 connections.*LimitNOFILE=.*to 396 or more/,
      ),
    },
  ]);
  room.measure(0, log, { limit: 396, open: 36 });
  expect(records).toHaveLength(1);
});
