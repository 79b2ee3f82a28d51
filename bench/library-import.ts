import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Benchmark, Contender } from './frame/benchmark.js';
import { checkout } from './frame/places.js';
import { temporaryDirectory } from './frame/processes.js';

const run = promisify(execFile);

/** From the start of Node.js to its end, in milliseconds. */
async function lifetime(file: string): Promise<number> {
  const began = performance.now();
  const { stdout } = await run(process.execPath, [file]);
  const took = performance.now() - began;
  if (stdout !== 'function') throw new Error(`${file} printed ${stdout}`);
  return took;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** The library as its package has it; nothing of it loads the addon before it is used. */
async function pack(modules: string): Promise<void> {
  const place = join(modules, '@sd-gateway/systemd');
  const rolldown = join(checkout, 'node_modules/.bin/rolldown');
  await run(rolldown, ['--config', 'tools/library/rolldown.config.ts', '--logLevel', 'warn'], {
    cwd: checkout,
    env: { ...process.env, PACKAGE: place },
  });
  copyFileSync(join(checkout, 'tools/library/package/package.json'), join(place, 'package.json'));
}

export const libraryImport: Benchmark = {
  name: 'library-import',
  group: 'systemd-protocols',
  title: 'import, beyond the start of an empty program',
  figures: [{ name: 'added', unit: 'ms', better: 'lower' }],
  targets: [{ figure: 'added', against: 'limit', atMost: 1 }],
  async open({ smoke }) {
    const pairs = smoke ? 2 : 15;
    const directory = temporaryDirectory();
    await pack(join(directory.path, 'node_modules'));
    const program = (name: string, text: string): string => {
      const file = join(directory.path, name);
      writeFileSync(file, `${text}\nprocess.stdout.write(typeof call);\n`);
      return file;
    };
    const bare = {
      mjs: program('bare.mjs', 'const call = () => undefined;'),
      cjs: program('bare.cjs', 'const call = () => undefined;'),
    };
    /** Pairs, one after the other: both halves meet the same load. */
    const contender = (name: string, kind: 'mjs' | 'cjs', text: string): Contender => {
      const file = program(`${name.replace(/\W+/g, '-')}.${kind}`, text);
      return {
        name,
        async measure() {
          const added: number[] = [];
          for (let pair = 0; pair < pairs; pair++)
            added.push(-(await lifetime(bare[kind])) + (await lifetime(file)));
          return { added: Math.max(0.001, median(added)) };
        },
      };
    };
    return {
      contenders: [
        contender(
          'import @sd-gateway/systemd',
          'mjs',
          "import { notify as call } from '@sd-gateway/systemd';",
        ),
        contender(
          'require @sd-gateway/systemd',
          'cjs',
          "const { notify: call } = require('@sd-gateway/systemd');",
        ),
        contender('require npm sd-notify', 'cjs', "const { ready: call } = require('sd-notify');"),
        { name: 'limit', measure: () => Promise.resolve({ added: 5 }) },
      ],
      close: () => Promise.resolve(directory.remove()),
    };
  },
};
