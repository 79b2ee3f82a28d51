import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeTurnDirectories, sessionDirectoryName } from '../../src/agents/agent-directories.js';

describe('the name of a session’s directory', () => {
  test.each([
    ['alice', 'alice'],
    ['nora@example.org', 'nora@example.org'],
    ['a.b-c_d+1', 'a.b-c_d+1'],
    ['telegram:12~20', 'telegram%3A12%7E20'],
    ['..', '%2E.'],
    ['.ssh', '%2Essh'],
    ['-rf', '%2Drf'],
    ['../../etc', '%2E.%2F..%2Fetc'],
    ['a\0b\n', 'a%00b%0A'],
    ['ä', '%C3%A4'],
    ['', '%~'],
  ])('%j is %s', (session, expected) => {
    expect(sessionDirectoryName(session)).toBe(expected);
  });

  test('is cut if it is long, and still the session’s own', () => {
    const one = sessionDirectoryName('x'.repeat(200));
    expect(one).toMatch(/^x{132}%~[0-9a-f]{16}$/);
    expect(sessionDirectoryName('x'.repeat(201))).not.toBe(one);
  });

  test('is one plain name that no other session has', () => {
    const session = fc.string({ unit: 'grapheme', maxLength: 300 });
    fc.assert(
      fc.property(session, session, (one, other) => {
        const name = sessionDirectoryName(one);
        expect(name).toMatch(/^[\w@+%][\w@+%.~-]*$/);
        expect(name.length).toBeLessThanOrEqual(150);
        expect(sessionDirectoryName(other) === name).toBe(one === other);
      }),
    );
  });
});

describe('the directories of a turn', () => {
  let agents: string;
  beforeEach(() => {
    agents = join(mkdtempSync(join(tmpdir(), 'agent-directories-')), 'agents');
  });
  afterEach(() => rmSync(join(agents, '..'), { recursive: true }));

  test('are made for their owner alone, and kept', () => {
    const made = makeTurnDirectories(agents, '../alice');
    expect(made).toEqual({
      home: join(agents, 'home'),
      session: join(agents, 'sessions/%2E.%2Falice'),
    });
    for (const path of [agents, join(agents, 'sessions'), made.home, made.session]) {
      expect((statSync(path).mode & 0o7777).toString(8)).toBe('700');
    }
    writeFileSync(join(made.session, 'notes'), 'kept');
    expect(makeTurnDirectories(agents, '../alice')).toEqual(made);
    expect(statSync(join(made.session, 'notes')).size).toBe(4);
  });

  test('that can’t be made hold the agent, with the reason', () => {
    writeFileSync(agents, 'a file in their place');
    expect(() => makeTurnDirectories(agents, 'alice')).toThrow(
      expect.objectContaining({
        reason: 'unavailable',
        retry: true,
        message: expect.stringMatching(/directory .*\/agents\/home .*ENOTDIR; check/),
      }),
    );
  });
});
