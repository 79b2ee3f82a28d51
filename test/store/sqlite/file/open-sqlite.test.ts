import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqlitePackage } from '../../../../src/store/sqlite/file/open-sqlite.js';
import { Place } from '../../../cli/foreground.js';

const checkout = fileURLToPath(new URL('../../../../', import.meta.url));
const isOld = sqlitePackage === 'better-sqlite3-12';
const binary = isOld ? 'build/Release/better_sqlite3.node' : `prebuilds/linux-${process.arch}.node`;

let place: Place;
/** The program with nothing of SQLite's packages but what is copied there. */
let folder: string;
beforeEach(() => {
  place = new Place();
  folder = join(place.directory, 'sd-gateway');
  for (const part of [
    'package.json',
    'dist/cli',
    'dist/bundle',
    `node_modules/${sqlitePackage}/package.json`,
  ])
    copy(part);
  for (const part of ['node_modules/node-gyp-build', 'build', 'prebuilds'])
    symlinkSync(join(checkout, part), join(folder, part));
  place.program = join(folder, 'dist/cli/main.js');
});
afterEach(() => place.remove());

function copy(part: string): void {
  mkdirSync(dirname(join(folder, part)), { recursive: true });
  cpSync(join(checkout, part), join(folder, part), { recursive: true });
}

describe('the program', () => {
  it('needs of the package of SQLite no more than its binary', async () => {
    copy(`node_modules/${sqlitePackage}/${binary}`);
    const { said } = await place.start();
    expect(said).toContain('Ready after');
  });

  it('says what to run where the binary is missing', async () => {
    const { status, stderr } = await place.run(['run']);
    expect({ status, stderr }).toMatchObject({
      status: 78,
      stderr: expect.stringContaining(
        isOld ? 'npm rebuild better-sqlite3-12 --ignore-scripts=false' : 'Install sd-gateway again',
      ),
    });
  });

  it('is bundled for the very versions that npm installs', () => {
    const { dependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(checkout, 'package.json'), 'utf8'),
    ) as Readonly<Record<string, Readonly<Record<string, string>>>>;
    expect(dependencies?.['better-sqlite3']).toMatch(/^13\.\d+\.\d+$/);
    expect(optionalDependencies?.['better-sqlite3-12']).toMatch(/^npm:better-sqlite3@12\.\d+\.\d+$/);
  });
});
