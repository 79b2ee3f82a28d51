// Prints the Debian copyright file (copyright-format/1.0) of a package whose libraries are in FOLDER/node_modules:
//   node systemd/debian/write-copyright.js FOLDER
// What each library says of itself is in its package.json and in its licence files; for those that are bundled with the
// program the build has put it into dist/third-party.json.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const own = new URL('../../', import.meta.url);
const installed = 'usr/lib/sd-gateway';

/** Debian's short names, where they are not SPDX's. */
const shortNames = { MIT: 'Expat' };

/** Debian has their texts on each machine. */
const commonLicenses = { 'Apache-2.0': '/usr/share/common-licenses/Apache-2.0' };

/** What libraries have of others, which no file of theirs tells. */
const comments = {
  'better-sqlite3':
    'Its binary has SQLite in it, which the authors of SQLite have put into the public domain.',
  undici: 'lib/llhttp is compiled from llhttp: Copyright 2018 Fedor Indutny, Expat.',
};

function isLicence(name) {
  return /^(licen[cs]e|copying|notice)/i.test(name);
}

/** Folders of libraries below a folder "node_modules", those within libraries too; relative to `folder`. */
function librariesIn(modules) {
  return readdirSync(join(folder, modules), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = `${modules}/${name}`;
      return name.startsWith('@') ? librariesIn(path) : [path, ...nestedIn(path)];
    });
}

function nestedIn(library) {
  const hasLibraries = readdirSync(join(folder, library)).includes('node_modules');
  return hasLibraries ? librariesIn(`${library}/node_modules`) : [];
}

/** Licence files of a library, not those of the libraries within it. */
function licenceFiles(path) {
  return readdirSync(path, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .flatMap((entry) => {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) return licenceFiles(inner);
      return entry.isFile() && isLicence(entry.name) ? [inner] : [];
    })
    .sort();
}

function holdersIn(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^Copyright\b.*(\d{4}|\(c\)|©|<https?:)/.test(line))
    .map((line) => line.replace(/^Copyright\s*(\([cC]\)|©)?\s*/, '').replace(/\s+/g, ' '));
}

function authorOf({ author }) {
  if (author === undefined) return [];
  return [typeof author === 'string' ? author : `${author.name}${author.email ? ` <${author.email}>` : ''}`];
}

/** A text as the value of a field that goes on over lines. */
function continued(text) {
  return text
    .trim()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
    .join('\n');
}

function licenceOf(library, { license }, texts) {
  if (typeof license !== 'string') throw new Error(`${library}: its package.json names no licence`);
  const name = shortNames[license] ?? license;
  if (name === 'Expat' || commonLicenses[name] !== undefined) return `License: ${name}`;
  // The wording of the others names who is not liable: each has its own.
  if (texts.length === 0)
    throw new Error(`${library}: it has no file with the text of its licence, ${license}`);
  return `License: ${name}\n${continued(texts.join('\n\n'))}`;
}

function stanza(library) {
  const description = JSON.parse(readFileSync(join(folder, library, 'package.json'), 'utf8'));
  const texts = licenceFiles(join(folder, library)).map((file) => readFileSync(file, 'utf8'));
  const written = texts.flatMap(holdersIn);
  const holders = [...new Set(written.length > 0 ? written : authorOf(description))];
  if (holders.length === 0)
    throw new Error(`${library}: neither a licence file nor package.json names its author`);
  const comment = comments[description.name];
  return [
    `Files: ${installed}/${library}/*`,
    `Copyright: ${holders.join('\n           ')}`,
    licenceOf(library, description, texts),
    `Comment: ${description.name} ${description.version}${comment === undefined ? '' : `. ${comment}`}`,
  ].join('\n');
}

/** The short name of a licence, and its text where it is neither ours nor on each machine. */
function bundledLicence({ name, version, licence, texts }) {
  const short = shortNames[licence] ?? licence;
  if (short === 'Expat' || commonLicenses[short] !== undefined) return { short, text: [] };
  if (texts.length === 0) throw new Error(`${name}: it has no file with the text of its licence, ${licence}`);
  return { short, text: [`${name} ${version}:`, ...texts] };
}

/** One paragraph for all of them: the bundle's files are not one library's each. */
function bundleStanza(packages) {
  const licences = packages.map(bundledLicence);
  const holders = packages.flatMap(({ name, author, texts }) => {
    const written = [...new Set(texts.flatMap(holdersIn))];
    const found = written.length > 0 ? written : author === null ? [] : [author];
    if (found.length === 0)
      throw new Error(`${name}: neither a licence file nor package.json names its author`);
    return found.map((holder) => `${holder} (${name})`);
  });
  const names = ['Expat', ...licences.map(({ short }) => short)];
  return [
    `Files: ${installed}/dist/*`,
    `Copyright: ${['The sd-gateway developers', ...holders].join('\n           ')}`,
    `License: ${[...new Set(names)].join(' and ')}\n${continued(licences.flatMap(({ text }) => text).join('\n\n'))}`,
    `Comment: The program is bundled with ${packages
      .map(
        ({ name, version }) =>
          `${name} ${version}${comments[name] === undefined ? '' : ` (${comments[name]})`}`,
      )
      .join(', ')}.`,
  ].join('\n');
}

const bundled = JSON.parse(readFileSync(new URL('dist/third-party.json', own), 'utf8'));
const license = readFileSync(new URL('LICENSE', own), 'utf8');
const libraries = librariesIn('node_modules').sort();
const standalone = [
  `License: Expat\n${continued(license.slice(license.indexOf('Permission')))}`,
  ...Object.entries(commonLicenses).map(([name, file]) => `License: ${name}\n The text is in ${file}.`),
];
const head = readFileSync(new URL('systemd/debian/copyright', own), 'utf8').trimEnd();
process.stdout.write(
  `${[head, bundleStanza(bundled), ...libraries.map(stanza), ...standalone].join('\n\n')}\n`,
);
