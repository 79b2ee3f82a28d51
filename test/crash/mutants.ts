import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine/harness/machine.js';
import type { Kind } from './kinds.js';

const thread = fileURLToPath(new URL('../../dist/bundle/sqlite-worker.js', import.meta.url));

/** A text that dist/bundle/sqlite-worker.js has, once, and what takes its place. */
export interface Change {
  readonly text: string;
  readonly replacement: string;
}

/** A gateway with a fault of its own that the tester must find, or it finds nothing. */
export interface Mutant extends Change {
  readonly name: string;
  /** The faults that show it. */
  readonly only: readonly string[];
  /** Number of sessions of each kind, if all kinds together would show it too seldom. */
  readonly clients?: Readonly<Record<Kind, number>>;
  /** The violation that is found. */
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
    text: 'if (delivery !== null) createDelivery(transaction, row, delivery);',
    replacement: `if (delivery !== null) setTimeout(() => {
        transaction.sql.run(begin);
        const counters = { ...transaction.sql.get(readCounters) };
        createDelivery({ ...transaction, counters }, row, delivery);
        transaction.sql.run(writeCounters, counters);
        transaction.sql.run(commit);
    }, 200);`,
    only: ['SIGKILL'],
    violation: /it is replied|its reply was never received/,
  },
  {
    name: 'that takes each receiver for one that goes by the key',
    text: 'idempotent: row.idempotent === 1,\n\t\tunknownPolicy: row.unknown_policy,\n\t\thasBegun',
    replacement: 'idempotent: true,\n\t\tunknownPolicy: row.unknown_policy,\n\t\thasBegun',
    only: ['receiver hangs', 'receiver resets'],
    // Its host lets few attempts through while it fails: they are to be the ones that show it.
    clients: { client: 0, cancel: 0, collect: 0, interrupt: 0, once: 24 },
    violation: /it was posted again, and nobody knew whether it had arrived/,
  },
];

/** The store's thread, which has the text once. */
function threadWith(wanted: string): string {
  const text = readFileSync(thread, 'utf8');
  const places = text.split(wanted).length - 1;
  if (places !== 1) {
    throw new Error(`What is to be changed is in ${places} places of the store's thread: ${wanted}`);
  }
  return text;
}

/** Makes a gateway with the change in the machine; gives the command line that runs it. */
export async function makeChanged(machine: Machine, change: Change): Promise<string> {
  const original = '/usr/lib/sd-gateway';
  const place = '/opt/changed';
  await machine.check([
    'sh',
    '-c',
    `rm -rf ${place} && mkdir -p ${place} && cd ${original} && cp -r dist build package.json ${place} && ln -s ${original}/node_modules ${place}`,
  ]);
  const text = threadWith(change.text);
  await machine.writeFile(
    `${place}/dist/bundle/sqlite-worker.js`,
    text.split(change.text).join(change.replacement),
  );
  return `${place}/dist/cli/main.js run`;
}
