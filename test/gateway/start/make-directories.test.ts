import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RefusedStart } from '../../../src/gateway/start/failed-start.js';
import { makeDirectories } from '../../../src/gateway/start/make-directories.js';

describe('the directories of a start', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sd-gateway-directories-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const below = (home: string) => ({
    state: join(home, 'state/sd-gateway'),
    runtime: join(directory, 'run'),
    configuration: directory,
    earlierUserState: null,
    credentials: null,
  });

  it('are made', () => {
    makeDirectories(below(directory), join(directory, 'elsewhere/gateway.db'), {});
    for (const made of ['state/sd-gateway', 'run', 'elsewhere'])
      expect(existsSync(join(directory, made))).toBe(true);
  });

  it('of the database that can’t be made names the setting and the next step, and keeps the code', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const database = join(file, 'below/gateway.db');
    expect(() => makeDirectories(below(directory), database, {})).toThrow(
      expect.objectContaining({
        code: 'ENOTDIR',
        message: expect.stringMatching(
          /^store\.path: the directory \S+\/below can't be made by user \d+ \(.*\): make it, .* or set store\.path/,
        ),
      }),
    );
  });

  it.each<[NodeJS.ProcessEnv, boolean]>([
    [{ INVOCATION_ID: 'a' }, true],
    [{ INVOCATION_ID: 'a', STATE_DIRECTORY: '/s' }, false],
    [{}, false],
  ])('that can’t be made, with %j: the unit is told to name one: %j', (environment, isRefused) => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    let caught: unknown;
    try {
      makeDirectories(below(file), null, environment);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Error);
    expect(caught instanceof RefusedStart).toBe(isRefused);
    if (isRefused) expect(String(caught)).toContain('have its [Service] say StateDirectory=sd-gateway');
  });
});
