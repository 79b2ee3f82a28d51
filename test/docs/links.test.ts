import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const project = new URL('../../', import.meta.url).pathname;
const pages = [
  ...readdirSync(project).filter((name) => name.endsWith('.md')),
  ...['docs', 'docs/agents', 'docs/library', 'docs/library/reference'].flatMap(pagesIn),
];

function pagesIn(folder: string): readonly string[] {
  const names = readdirSync(join(project, folder)).filter((name) => name.endsWith('.md'));
  return names.map((name) => `${folder}/${name}`);
}

function textOf(page: string): string {
  return readFileSync(join(project, page), 'utf8').replace(/^```.*?^```$/gms, '');
}

/** The anchors of a page's headings, as GitHub makes them: a second one of a name ends with "-1". */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  const seen = new Map<string, number>();
  return new Set(
    headings.map((heading) => {
      const anchor = heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-');
      const before = seen.get(anchor) ?? 0;
      seen.set(anchor, before + 1);
      return before === 0 ? anchor : `${anchor}-${before}`;
    }),
  );
}

function brokenLinksOf(page: string): string[] {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : resolve('/', dirname(page), path).slice(1);
    if (!existsSync(join(project, target))) return true;
    return anchor !== undefined && !anchorsOf(target).has(anchor);
  });
}

test.each(pages)('each link of %s leads to a file, and to a heading there', (page) => {
  expect(brokenLinksOf(page)).toEqual([]);
});

test('the index names each page', () => {
  const index = textOf('docs/README.md');
  const others = pagesIn('docs').map((page) => page.slice('docs/'.length));
  expect(others.filter((name) => name !== 'README.md' && !index.includes(`(${name})`))).toEqual([]);
});

test('the first page of the library names its others', () => {
  const first = textOf('docs/library/README.md');
  const others = pagesIn('docs/library').map((page) => page.slice('docs/library/'.length));
  expect(others.filter((name) => name !== 'README.md' && !first.includes(`(${name})`))).toEqual([]);
});

/** The guides name files that their reader is to write. */
const descriptions = pages.filter((page) => !page.startsWith('docs/writing-'));

test.each(descriptions)('each file of the project that %s names is there', (page) => {
  const named = [...textOf(page).matchAll(/`((?:src|test|native|bench|systemd)\/[\w./@-]+)`/g)];
  const missing = named.map(([, path = '']) => path).filter((path) => !existsSync(join(project, path)));
  expect(missing).toEqual([]);
});

test('each function that the architecture names is in its file', () => {
  const rows = [...textOf('docs/architecture.md').matchAll(/^\| `([\w./-]+\.ts)` \| `([\w.#]+)` \|/gm)];
  const missing = rows.filter(([, file = '', name = '']) => {
    const parts = name.replace('#', '').split('.');
    const text = readFileSync(join(project, file), 'utf8');
    return parts.some((part) => !new RegExp(`\\b${part}\\b`).test(text));
  });
  expect(rows.length).toBeGreaterThan(20);
  expect(missing.map(([row]) => row)).toEqual([]);
});
