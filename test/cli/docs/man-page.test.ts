import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsManPage, configurationManPage, fold, roff } from '../../../src/cli/docs/man-page.js';
import { commands } from '../../../src/cli/usage.js';
import { settings } from '../../../src/config/settings.js';
import { messageIds, recordFields } from '../../../src/log/fields.js';

const options = { version: '1.2.3', date: '2026-01-02' };
const pages = {
  'sd-gateway.1': commandsManPage(options),
  'sd-gateway.toml.5': configurationManPage(options),
};

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-man-'));
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(folder, name), text);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function man(name: keyof typeof pages, ...words: readonly string[]) {
  return spawnSync('man', [...words, '-l', join(folder, name)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '400', MANPAGER: 'cat', MAN_KEEP_FORMATTING: '' },
  });
}

/** As man shows it, on lines that hold all. */
function shown(name: keyof typeof pages): string {
  const { status, stdout, stderr } = man(name);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe('the man pages', () => {
  for (const name of Object.keys(pages) as (keyof typeof pages)[]) {
    it(`have no warning of groff: ${name}`, () => {
      const { status, stderr } = man(name, '--warnings', '-E', 'UTF-8', '-Tutf8', '-Z');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });

    it(`have no lint of mandoc: ${name}`, () => {
      const { status, stdout, stderr } = spawnSync('mandoc', ['-Tlint', join(folder, name)], {
        encoding: 'utf8',
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    });
  }

  it('show every command with its options, exit statuses and examples', () => {
    const text = shown('sd-gateway.1');
    for (const command of commands) {
      const start = text.indexOf(`\n   ${command.name}${command.operands && ` ${command.operands}`}\n`);
      expect(start, command.name).toBeGreaterThan(0);
      const end = text.slice(start + 4).search(/\n {3}\S|\n\S/);
      const part = text.slice(start, start + 4 + end);
      for (const { name, value, summary } of command.options) {
        expect(part).toContain(`--${name}${value === undefined ? '' : ` ${value}`}`);
        expect(part).toContain(summary);
      }
      for (const paragraph of [command.summary, ...command.description]) expect(part).toContain(paragraph);
      for (const [status, meaning] of command.exitStatuses) {
        expect(part).toMatch(new RegExp(`\\n +${status} `));
        expect(part).toContain(meaning);
      }
      for (const example of command.examples) expect(part).toContain(example);
    }
  });

  it('show every field, every kind of record, every file', () => {
    const text = shown('sd-gateway.1');
    for (const [field, meaning] of Object.entries(recordFields)) {
      expect(text).toContain(field);
      expect(text).toContain(meaning);
    }
    for (const id of Object.values(messageIds)) expect(text).toContain(id);
    for (const file of [
      '/etc/sd-gateway/sd-gateway.toml',
      '/var/lib/sd-gateway',
      '~/.local/state/sd-gateway',
    ])
      expect(text).toContain(file);
  });

  it('show every setting with its default and its variable', () => {
    const text = shown('sd-gateway.toml.5');
    for (const { path, variable, description, default: value } of settings) {
      expect(text).toContain(
        `${path.at(-1)} (default: ${value === null || value === undefined ? 'unset' : JSON.stringify(value)})`,
      );
      expect(text).toContain(description);
      expect(text).toContain(`Environment: ${variable}`);
    }
  });
});

describe('roff', () => {
  it.each([
    ['a-b', 'a\\-b'],
    ['.hidden', '\\&.hidden'],
    ["'quoted'", '\\(aqquoted\\(aq'],
    ['back\\slash', 'back\\eslash'],
    ['it’s', 'it\\[u2019]s'],
  ])('%s', (text, written) => {
    expect(roff(text)).toBe(written);
  });

  it('is folded at blanks, never before a dot, never inside of .EX', () => {
    const long = `${'word '.repeat(15)}after .dot ${'word '.repeat(15)}end`;
    const folded = fold(long);
    expect(folded.split('\n').every((line) => line.length <= 80 && !line.startsWith('.'))).toBe(true);
    expect(folded.replaceAll('\n', ' ')).toBe(long);
    expect(fold(`.EX\n${long}\n.EE`)).toBe(`.EX\n${long}\n.EE`);
  });
});
