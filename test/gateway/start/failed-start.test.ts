import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { ListenError } from '../../../src/channels/http/server/listen.js';
import { ChannelStartError } from '../../../src/gateway/channels.js';
import { failedStart, InUseError, mayPass, RefusedStart } from '../../../src/gateway/start/failed-start.js';
import { FileError } from '../../../src/store/sqlite/file/errors.js';
import { StoreError } from '../../../src/store/store-error.js';

const { ENOSPC, EROFS, EIO, EADDRINUSE } = constants.errno;

test.each([
  ['full', 'unavailable', ENOSPC, false],
  ['read-only', 'unavailable', EROFS, false],
  ['input-output', 'unavailable', EIO, false],
  ['locked', 'unavailable', null, false],
  ['internal', 'crash', null, false],
  ['damaged', 'refused', null, true],
  ['newer-schema', 'refused', null, false],
  ['foreign', 'refused', null, false],
  ['not-built', 'refused', null, false],
] as const)('a database that is %s: %s', (kind, cause, errno, damaged) => {
  expect(failedStart(new FileError(kind, 'It is so.'))).toEqual({
    cause,
    errno,
    damaged,
    reason: 'It is so.',
    text: "The gateway can't start: It is so.",
  });
});

test('any store’s reasons are enough to judge it', () => {
  const causeOf = (error: unknown) => failedStart(error).cause;
  expect(causeOf(new StoreError('unavailable', 'no connection'))).toBe('unavailable');
  expect(causeOf(new StoreError('refused', 'too old'))).toBe('refused');
  expect(causeOf(new StoreError('corrupt', 'torn'))).toBe('refused');
});

test('an address or a required channel that is not to be had is no crash', () => {
  expect(failedStart(new ListenError('127.0.0.1:80', 'EACCES', "Can't listen")).cause).toBe('unavailable');
  expect(failedStart(new ChannelStartError('tg', 'no token')).cause).toBe('unavailable');
});

test('a system call that failed is told by its number, a refusal by its words, anything else by its stack', () => {
  const inUse = Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
  expect(failedStart(inUse)).toMatchObject({
    cause: 'unavailable',
    errno: EADDRINUSE,
    reason: 'in use',
  });
  expect(failedStart(inUse, 300_000).reason).toBe('in use (The start waited 5min for it.)');
  expect(failedStart(new RefusedStart('no'))).toMatchObject({ cause: 'refused', errno: null });
  expect(failedStart(new TypeError('oops')).text).toMatch(/TypeError: oops\n\s+at /);
});

test('directories that another process has in use may be free later: no configuration is wrong', () => {
  const inUse = new InUseError('The state directory /s is in use by another process.');
  expect(mayPass(inUse)).toBe(true);
  expect(failedStart(inUse)).toMatchObject({
    cause: 'unavailable',
    errno: null,
    text: "The gateway can't start: The state directory /s is in use by another process.",
  });
});
