import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'rolldown';

/** A package of which something is in the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX's expression. */
  readonly licence: string;
  /** The author as in package.json; null if it names none. */
  readonly author: string | null;
  /** The licence files' texts. */
  readonly texts: readonly string[];
}

/** The folder of the package that a module belongs to; null for one of ours. */
function packageFolder(module: string): string | null {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(module)?.[0] ?? null;
}

/** Those in folders below it too, as what a package has of others is there; not those of its own dependencies. */
function licenceFiles(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return licenceFiles(path);
      return /^(licen[cs]e|copying|notice)/i.test(entry.name) ? [path] : [];
    })
    .sort();
}

function describe(folder: string): BundledPackage {
  const { name, version, license, author } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as {
    readonly name: string;
    readonly version: string;
    readonly license?: string;
    readonly author?: string | { readonly name: string; readonly email?: string };
  };
  if (typeof license !== 'string') throw new Error(`${folder}: its package.json names no licence`);
  const texts = licenceFiles(folder).map((file) => readFileSync(file, 'utf8').trim());
  const written = typeof author === 'object' ? [author.name, author.email && `<${author.email}>`] : [author];
  const named = written.filter((part) => part !== undefined && part !== '').join(' ');
  return { name, version, licence: license, author: named === '' ? null : named, texts };
}

function notices(packages: readonly BundledPackage[]): string {
  const sections = packages.map(({ name, version, licence, author, texts }) => {
    const by = author === null ? '' : `, by ${author}`;
    return [
      `## ${name} ${version}`,
      `${licence}${by}`,
      ...texts.map((text) => `\`\`\`\n${text}\n\`\`\``),
    ].join('\n\n');
  });
  return `# Third-party notices\n\nThe program in \`dist\` has these packages in it.\n\n${sections.join('\n\n')}\n`;
}

/** Writes what packages are in the bundles that it is a plugin of: for people as Markdown, for the packagers' tools as JSON. */
export function thirdPartyNotices(): Plugin {
  const folders = new Set<string>();
  return {
    name: 'third-party-notices',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        for (const [module, { renderedLength }] of Object.entries(chunk.modules)) {
          const folder = packageFolder(module);
          if (folder !== null && renderedLength > 0) folders.add(folder);
        }
      }
      const packages = [...folders].sort().map(describe);
      this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY-NOTICES.md', source: notices(packages) });
      this.emitFile({
        type: 'asset',
        fileName: 'third-party.json',
        source: `${JSON.stringify(packages, null, 2)}\n`,
      });
    },
  };
}
