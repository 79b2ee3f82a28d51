import type { Machine } from '../systemd/harness/machine.js';

/** A gateway with a fault of its own that the tester must find, or it finds nothing. */
export interface Mutant {
  readonly name: string;
  /** File below dist/, a text in it, and what takes its place. */
  readonly file: string;
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
    file: 'store/sqlite/open-database.js',
    text: "database.pragma('synchronous = FULL');\n        database.pragma('foreign_keys",
    replacement: "database.pragma('synchronous = OFF');\n        database.pragma('foreign_keys",
    only: ['power cut', 'power cut at a sync', 'SIGKILL'],
    violation: /was accepted as|messages were accepted|did not serve again/,
  },
  {
    name: 'that puts replies into the outbox after their commit',
    file: 'store/sqlite/turns.js',
    text: "createDelivery(transaction, held, 'reply');",
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

/** Makes the mutant in the machine; gives the command line that runs it. */
export async function makeMutant(machine: Machine, mutant: Mutant): Promise<string> {
  const original = '/usr/lib/sd-gateway';
  const place = '/opt/mutant';
  await machine.check([
    'sh',
    '-c',
    `rm -rf ${place} && mkdir -p ${place} && cd ${original} && cp -r dist build package.json ${place} && ln -s ${original}/node_modules ${place}`,
  ]);
  const file = `${place}/dist/${mutant.file}`;
  const text = await machine.check(['cat', file]);
  if (text.split(mutant.text).length !== 2) {
    throw new Error(`${mutant.file} does not have once what the mutant is to change.`);
  }
  await machine.writeFile(
    file,
    text.replace(mutant.text, () => mutant.replacement),
  );
  return `${place}/dist/cli/main.js run`;
}
