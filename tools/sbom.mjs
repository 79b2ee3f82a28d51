// Writes the software bill of materials of the npm package, a CycloneDX document: the packages that the build has put into
// the bundle (dist/third-party.json), and those that npm installs beside it. npm makes it from package-lock.json. Its time and
// its random number are left out, so that the same tree gives the same bytes.
//   node tools/sbom.mjs OUTPUT
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const [output] = process.argv.slice(2);
const development = 'cdx:npm:package:development';
const words = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const { serialNumber: _, ...bom } = JSON.parse(
  execFileSync('npm', words, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }),
);
const third = JSON.parse(readFileSync(new URL('../dist/third-party.json', import.meta.url), 'utf8'));
const bundled = new Set(third.map(({ name, version }) => `${name}@${version}`));

const propertyOf = ({ properties = [] }, wanted) => properties.find(({ name }) => name === wanted)?.value;
const isBundled = (component) => bundled.has(component['bom-ref']);

const components = bom.components
  .filter((component) => isBundled(component) || propertyOf(component, development) !== 'true')
  .map((component) => {
    if (!isBundled(component)) return component;
    // It is needed to build the program only, as its code is in it then.
    const properties = component.properties.filter(({ name }) => name !== development);
    return {
      ...component,
      scope: 'required',
      properties: [...properties, { name: 'cdx:npm:package:bundled', value: 'true' }],
    };
  });
const missing = [...bundled].filter((ref) => !components.some((component) => component['bom-ref'] === ref));
if (missing.length > 0) {
  throw new Error(
    `The bundle has other versions than package-lock.json, so run npm ci: ${missing.join(', ')}`,
  );
}

const refs = new Set([bom.metadata.component, ...components].map((component) => component['bom-ref']));
const dependencies = bom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
const { timestamp: __, ...metadata } = bom.metadata;
// npm has it from the folder.
const { name } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const component = { ...metadata.component, name };
writeFileSync(
  output,
  `${JSON.stringify({ ...bom, metadata: { ...metadata, component }, components, dependencies }, null, 2)}\n`,
);
