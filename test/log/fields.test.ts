import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { messageIds, recordFields } from '../../src/log/fields.js';

const catalog = readFileSync(new URL('../../systemd/sd-gateway.catalog', import.meta.url), 'utf8');
const documentation = new URL('../../docs/journal.md', import.meta.url);

interface CatalogEntry {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Entries of a catalog file: "-- ID", headers, an empty line, text. */
function entriesOf(text: string): CatalogEntry[] {
  return text
    .split(/^-- /m)
    .slice(1)
    .map((part) => {
      const [id = '', ...lines] = part.split('\n');
      const end = lines.indexOf('');
      const headers = lines.slice(0, end).map((line) => line.split(/: (.*)/s).slice(0, 2));
      return {
        id,
        headers: Object.fromEntries(headers) as Record<string, string>,
        text: lines.slice(end).join('\n').trim(),
      };
    });
}

function replacePart(text: string, name: string, lines: readonly string[]): string {
  const part = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end of ${name} -->)`);
  expect(text).toMatch(part);
  return text.replace(part, (_match, begin: string, end: string) => `${begin}${lines.join('\n')}${end}`);
}

describe('the catalog', () => {
  const entries = entriesOf(catalog);

  it('explains each MESSAGE_ID of the code, once, and no other', () => {
    expect(entries.map(({ id }) => id).sort()).toEqual(Object.values(messageIds).sort());
  });

  it('has ids that journalctl takes', () => {
    const ids = Object.values(messageIds);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  });

  it.each(entries)('says of $headers.Subject what it is and what to do', ({ headers, text }) => {
    expect(headers['Subject']).toMatch(/^[A-Z].*[^.]$/);
    expect(headers['Defined-By']).toBe('sd-gateway');
    expect(headers['Documentation']).toMatch(/^(man|https|file):/);
    // The meaning, and the mend.
    expect(text.split('\n\n').length).toBeGreaterThanOrEqual(2);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
    for (const [, field = ''] of text.matchAll(/@([A-Z_]+)@/g)) {
      expect(Object.keys(recordFields)).toContain(field);
    }
  });

  /** "npx vitest run --project unit test/log/fields.test.ts -u" writes the tables anew. */
  it('lists the same as docs/journal.md', async () => {
    const rows = Object.values(messageIds).map((id) => {
      const entry = entries.find((candidate) => candidate.id === id);
      return `| \`${id}\` | ${entry?.headers['Subject'] ?? 'not in the catalog'} |`;
    });
    const fields = Object.entries(recordFields).map(([name, says]) => `| \`${name}\` | ${says} |`);
    let text = readFileSync(documentation, 'utf8');
    text = replacePart(text, 'message ids', ['| `MESSAGE_ID` | record |', '| --- | --- |', ...rows]);
    text = replacePart(text, 'fields', ['| field | what it says |', '| --- | --- |', ...fields]);
    await expect(text).toMatchFileSnapshot(documentation.pathname);
  });
});
