/**
 * Writes the man pages where its argument says. Part of the build, after the compiler. Their date is
 * SOURCE_DATE_EPOCH's, in seconds, where it is set, so that a build can be repeated byte for byte.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandsManPage, configurationManPage, type ManPageOptions } from './docs/man-page.js';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Say where to: node dist/cli/write-man-pages.js dist/man');

const description = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};
const epoch = process.env['SOURCE_DATE_EPOCH'];
const options: ManPageOptions = {
  version: description.version,
  date: (epoch ? new Date(Number(epoch) * 1000) : new Date()).toISOString().slice(0, 10),
};

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'sd-gateway.1'), commandsManPage(options));
writeFileSync(join(folder, 'sd-gateway.toml.5'), configurationManPage(options));
