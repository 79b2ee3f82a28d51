import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const top = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-sbom-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly unknown[];
  readonly properties: readonly { readonly name: string; readonly value: string }[];
}

interface Bom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const json = (path: string): unknown => JSON.parse(readFileSync(join(top, path), 'utf8'));
const write = (name: string): string => {
  const output = join(folder, name);
  execFileSync(process.execPath, ['tools/sbom.mjs', output], { cwd: top });
  return readFileSync(output, 'utf8');
};

let text: string;
let bom: Bom;
beforeAll(() => {
  text = write('sbom');
  bom = JSON.parse(text) as Bom;
});

it('is a CycloneDX document of this package', () => {
  const { name, version } = json('package.json') as { readonly name: string; readonly version: string };
  expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: expect.stringMatching(/^1\.\d$/) });
  expect(bom.metadata.component).toMatchObject({ name, version, purl: `pkg:npm/${name}@${version}` });
});

it('lists what the bundle has and what npm installs beside it, and nothing else', () => {
  const third = json('dist/third-party.json') as { readonly name: string; readonly version: string }[];
  const bundled = third.map(({ name, version }) => `${name}@${version}`);
  const { packages } = json('package-lock.json') as {
    readonly packages: Readonly<
      Record<string, { readonly name?: string; readonly version: string; readonly dev?: boolean }>
    >;
  };
  const installed = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { name, version }]) => `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`);
  const listed = bom.components.map((component) => component['bom-ref']);
  expect(listed.toSorted()).toEqual([...new Set([...bundled, ...installed])].toSorted());
  const marked = bom.components.filter(({ properties }) =>
    properties.some(({ name, value }) => name === 'cdx:npm:package:bundled' && value === 'true'),
  );
  expect(marked.map((component) => component['bom-ref']).toSorted()).toEqual(bundled.toSorted());
});

it('names the licence of each, and how they depend on each other', () => {
  for (const { 'bom-ref': reference, name, purl, licenses } of bom.components) {
    expect(purl).toBe(`pkg:npm/${reference.replace(/^@/, '%40')}`);
    expect(licenses, name).toHaveLength(1);
  }
  const refs = new Set([bom.metadata.component, ...bom.components].map((component) => component['bom-ref']));
  expect(new Set(bom.dependencies.map(({ ref }) => ref))).toEqual(refs);
  for (const { dependsOn } of bom.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
});

it('has the same bytes each time, and no address that the packages were fetched from', () => {
  expect(write('again')).toBe(text);
  expect(text).not.toMatch(/"type": "distribution"/);
});
