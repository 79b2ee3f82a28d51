import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine/harness/machine.js';
import type { ClientKind } from './kinds.js';

const bundle = fileURLToPath(new URL('../../dist/bundle', import.meta.url));

/** A text that a file of dist/bundle has, once, and what takes its place. */
export interface Change {
  /** Names of the files in which it is looked for. Default: that of the store's thread. */
  readonly files?: RegExp;
  readonly text: string;
  readonly replacement: string;
}

/** A gateway with a fault of its own that the tester must find, or it finds nothing. */
export interface Mutant extends Change {
  readonly name: string;
  /** The faults that show it. */
  readonly only: readonly string[];
  /** Least number of faults. Default: 12. */
  readonly least?: number;
  /** Number of sessions of each kind, if all kinds together would show it too seldom. */
  readonly clients?: Readonly<Partial<Record<ClientKind, number>>>;
  /** True: messages come by channels as well. Default: false. */
  readonly channels?: boolean;
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
    }, 1_200);`,
    only: ['SIGKILL'],
    violation: /it is replied|its reply was never received/,
  },
  {
    name: 'that takes each receiver for one that goes by the key',
    text: 'idempotent: row.idempotent === 1,\n\t\tunknownPolicy: row.unknown_policy,\n\t\thasBegun',
    replacement: 'idempotent: true,\n\t\tunknownPolicy: row.unknown_policy,\n\t\thasBegun',
    only: ['receiver hangs', 'receiver resets'],
    // Its host lets few attempts through while it fails: they are to be the ones that show it.
    clients: { once: 24 },
    violation: /it was posted again, and nobody knew whether it had arrived/,
  },
  {
    name: 'that takes the process of an agent for ended while it runs',
    files: /^session-/,
    text: 'return this.#process?.ended ?? Promise.resolve();',
    replacement: 'return Promise.resolve();',
    only: ['SIGKILL'],
    least: 2,
    clients: { acp: 6 },
    violation: /was run beside another one/,
  },
  {
    name: 'that takes what came of a broken stream for the reply',
    files: /^gateway-/,
    text: 'const delayMs = hasText ?',
    replacement: `if (hasText) {
        yield { type: 'end', reply: { text: '', metadata: {} } };
        return;
    }
    const delayMs = hasText ?`,
    only: ['SIGKILL'],
    least: 2,
    clients: { openai: 16 },
    violation: /its reply is ""/,
  },
  {
    name: 'that tells a channel’s program that a message is stored before it is',
    files: /^command-channel-/,
    text: 'this.#waiting.push(item);',
    replacement: 'item.settled({ outcome: "accepted" }); this.#waiting.push(item);',
    only: ['full disk', 'SIGKILL before a sync'],
    clients: { client: 4 },
    channels: true,
    violation:
      /^(?:reconcile|idempotent|resend|ask):chat-\d: (?:\d+ messages were accepted, \d+ are there|in the place of message)/m,
  },
  {
    name: 'that confirms Telegram’s updates before they are stored',
    files: /^telegram-channel-/,
    text: 'if (!await link.intake.take(inOrder))',
    replacement: 'if (!link.intake.take(inOrder))',
    only: ['full disk', 'SIGKILL before a sync'],
    clients: { client: 4 },
    channels: true,
    violation: /^telegram:\d+: (?:\d+ messages were accepted, \d+ are there|in the place of message)/m,
  },
];

/** The file of the bundle that has the text, once. */
function fileWith({ text, files = /^sqlite-worker\.js$/ }: Change): {
  readonly name: string;
  readonly content: string;
} {
  const all = readdirSync(bundle)
    .filter((name) => files.test(name))
    .map((name) => ({ name, content: readFileSync(`${bundle}/${name}`, 'utf8') }));
  const places = all.reduce((sum, { content }) => sum + content.split(text).length - 1, 0);
  const found = all.find(({ content }) => content.includes(text));
  if (found === undefined || places !== 1) {
    throw new Error(`The text that is to be changed is in ${places} places of ${files}: ${text}`);
  }
  return found;
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
  const { name, content } = fileWith(change);
  await machine.writeFile(
    `${place}/dist/bundle/${name}`,
    content.split(change.text).join(change.replacement),
  );
  return `${place}/dist/cli/main.js run`;
}
