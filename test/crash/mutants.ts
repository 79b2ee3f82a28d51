import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../systemd/harness/machine.js';

const bundle = fileURLToPath(new URL('../../dist/bundle/', import.meta.url));

/** A gateway with a fault of its own that the tester must find, or it finds nothing. */
export interface Mutant {
  readonly name: string;
  /** A text that one of the program's files in dist/bundle has, once, and what takes its place. */
  readonly text: string;
  readonly replacement: string;
  /** The faults that show it. */
  readonly only: readonly string[];
  /** What is found. */
  readonly violation: RegExp;
}

export const mutants: readonly Mutant[] = [
  {
    name: 'that doesn’t wait for the disk',
    text: 'database.pragma("synchronous = FULL");\n\t\tdatabase.pragma("foreign_keys',
    replacement: 'database.pragma("synchronous = OFF");\n\t\tdatabase.pragma("foreign_keys',
    only: ['power cut', 'power cut at a sync', 'SIGKILL'],
    violation: /was accepted as|messages were accepted|did not serve again/,
  },
  {
    name: 'that puts replies into the outbox after their commit',
    text: 'createDelivery(transaction, held, "reply");',
    replacement: `setTimeout(() => {
        sql.begin.run();
        const counters = { ...sql.counters.get() };
        createDelivery({ ...transaction, counters }, held, 'reply');
        sql.writeCounters.run(counters);
        sql.commit.run();
    }, 20);`,
    only: ['SIGKILL'],
    violation: /it is replied|its reply was never received/,
  },
];

/** The one file of the program that has the text, once. */
function bundledFileWith(wanted: string): { readonly name: string; readonly text: string } {
  const files = readdirSync(bundle).map((name) => ({ name, text: readFileSync(join(bundle, name), 'utf8') }));
  const places = files.flatMap((file) =>
    file.text
      .split(wanted)
      .slice(1)
      .map(() => file),
  );
  const [file] = places;
  if (file === undefined || places.length !== 1) {
    throw new Error(`What the mutant is to change is in ${places.length} places of the program: ${wanted}`);
  }
  return file;
}

/** Makes the mutant in the machine; gives the command line that runs it. */
export async function makeMutant(machine: Machine, mutant: Mutant): Promise<string> {
  const original = '/usr/lib/sd-gateway';
  const place = '/opt/mutant';
  await machine.check([
    'sh',
    '-c',
    `rm -rf ${place} && mkdir -p ${place} && cd ${original} && cp -r dist build package.json ${place} && ln -s ${original}/node_modules ${place}`,
  ]);
  const { name, text } = bundledFileWith(mutant.text);
  await machine.writeFile(`${place}/dist/bundle/${name}`, text.split(mutant.text).join(mutant.replacement));
  return `${place}/dist/cli/main.js run`;
}
