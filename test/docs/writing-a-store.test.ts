import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { OpenStore } from '../../src/store/open-store.js';
import { agentsContract } from '../store/contract/agents-contract.js';
import { attachmentsContract } from '../store/contract/attachments-contract.js';
import { byHandContract } from '../store/contract/by-hand-contract.js';
import { channelsContract } from '../store/contract/channels-contract.js';
import { policiesContract } from '../store/contract/policies-contract.js';
import { type StoreFactory, storeContract } from '../store/contract/store-contract.js';
import { storeModel } from '../store/contract/store-model.js';
import { acceptOne, clock } from '../store/samples.js';
import { followGuide } from '../support/guide.js';
import { typeErrors } from '../support/type-errors.js';

const project = new URL('../../', import.meta.url).pathname;
const template = join(project, 'docs/templates/memory-store');
const policy = { maxAttempts: 3, repeatable: true, notices: true, unknownPolicy: 'ask' } as const;

// Inside the project, so that its packages are found; at once, as the contract is collected before a hook runs.
mkdirSync(join(project, 'node_modules/.cache'), { recursive: true });
const directory = mkdtempSync(join(project, 'node_modules/.cache/writing-a-store-'));
followGuide('docs/writing-a-store.md', directory);
cpSync(template, join(directory, 'src/store/memory'), { recursive: true });
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const { openMemoryStore } = await import(join(directory, 'src/store/memory/memory-store.ts'));
const { Database } = await import(join(directory, 'src/store/memory/rows.ts'));

class MemoryFactory implements StoreFactory {
  readonly #database = new Database();
  readonly #stores: OpenStore[] = [];

  constructor() {
    clock.now = 1_000;
  }

  async open(options: { readonly maxAttempts: number }): Promise<OpenStore> {
    const database = this.#database;
    const store: OpenStore = openMemoryStore({ ...policy, ...options, database, now: () => clock.now });
    this.#stores.push(store);
    return store;
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  remove(): Promise<void> {
    return this.close();
  }
}

describe('the store of the guide', () => {
  const contracts = [
    storeContract,
    byHandContract,
    agentsContract,
    attachmentsContract,
    channelsContract,
    policiesContract,
    storeModel,
  ];
  for (const contract of contracts) contract('memory', () => new MemoryFactory());

  test('has all contracts that SQLite has', () => {
    const files = readdirSync(join(project, 'test/store/contract'));
    expect(contracts).toHaveLength(files.length);
  });

  test('is told file by file', () => {
    const guide = readFileSync(join(project, 'docs/writing-a-store.md'), 'utf8');
    for (const file of readdirSync(template)) expect(guide).toContain(`| \`${file}\` |`);
  });

  test('passes the type check', () => {
    expect(typeErrors(directory)).toBe('');
    // It compiles all of the project, beside other tests.
  }, 180_000);

  test('is opened as it is configured', async () => {
    const { configurationSchema } = await import(join(directory, 'src/config/schema.ts'));
    const { openStore } = await import(join(directory, 'src/store/create-store.ts'));
    const { store: settings } = configurationSchema.parse({ store: { type: 'memory' } });
    const { store, opened } = openStore({ settings, policy, stateDirectory: '/' }, {});
    expect(await opened).toMatchObject({ resumedTurns: 0 });
    const message = await acceptOne(store, 'a');
    expect(await store.message(message.id)).toEqual(message);
    await store.close();
  });
});
