import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lockDirectories } from '../../../src/gateway/start/directory-locks.js';
import { failedStart } from '../../../src/gateway/start/failed-start.js';

test.each([
  ['lock', 'a directory', (path: string) => void mkdirSync(path)],
  ['gateway.db.lock', 'a directory', (path: string) => void mkdirSync(path)],
  ['lock', 'a symbolic link', (path: string) => symlinkSync(path, path)],
  ['gateway.db.lock', 'a symbolic link', (path: string) => symlinkSync('/nonexistent/x', path)],
])('a start is refused if %s is %s, and says what to do', async (name, kind, make) => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-locks-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, name);
  make(path);
  const locked = lockDirectories({
    stateDirectory: directory,
    runtimeDirectory: directory,
    database: join(directory, 'gateway.db'),
    takeover: false,
    beforeTakeover: async () => undefined,
    log: { notice: () => undefined } as never,
    step: () => undefined,
    signal: new AbortController().signal,
  });
  const error: unknown = await locked.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(failedStart(error)).toMatchObject({
    cause: 'refused',
    text: expect.stringContaining(`${path} is ${kind}, no regular file: move it away. Nothing was changed.`),
  });
});
