import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.js';
import { offlineStore, openStore, storeFile, storeName } from '../../src/store/create-store.js';
import type { StoreEvents } from '../../src/store/open-store.js';
import { run } from '../cli/operate/samples.js';
import { acceptOne } from './samples.js';

let stateDirectory: string;
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'sd-gateway-store-'));
});
afterEach(() => rmSync(stateDirectory, { recursive: true }));

function begin(environment: NodeJS.ProcessEnv = {}) {
  const { configuration } = loadConfiguration({ file: null, required: false, environment });
  const told: string[] = [];
  const events: StoreEvents = {
    progress: (step) => told.push(step),
    warning: ({ message }) => told.push(message),
    refusing: ({ message }) => told.push(message),
    accepting: () => told.push('accepting'),
    forgotten: ({ messages }) => told.push(`forgot ${messages}`),
    ended: ({ message }) => told.push(message),
  };
  const policy = { maxAttempts: 3, repeatable: true, notices: true, unknownPolicy: 'ask' } as const;
  const opening = openStore(
    { settings: configuration.store, policy, lastRun: { endedByItself: false }, stateDirectory },
    events,
  );
  return { ...opening, told };
}

test('the configured store takes calls while it opens, in the state directory unless it is told another place', async () => {
  const { store, opened, told } = begin();
  const message = await acceptOne(store, 'a');
  expect(await opened).toMatchObject({ resumedTurns: 0, deadTurns: 0 });
  expect(await store.message(message.id)).toMatchObject({ seq: 1 });
  expect(existsSync(join(stateDirectory, 'gateway.db'))).toBe(true);
  expect(told).toContain('making the database');
  await store.close();

  const other = join(stateDirectory, 'other.db');
  const elsewhere = begin({ SD_GATEWAY_STORE_PATH: other });
  await elsewhere.opened;
  expect(existsSync(other)).toBe(true);
  await elsewhere.store.close();
});

test('the configured store has a name and a file, and tells a command of its runs, whether a gateway has it or not', async () => {
  const { configuration } = loadConfiguration({ file: null, required: false, environment: {} });
  const database = join(stateDirectory, 'gateway.db');
  expect(storeName(configuration.store, stateDirectory)).toBe(database);
  expect(storeFile(configuration.store, stateDirectory)).toBe(database);
  const offline = offlineStore(configuration.store, stateDirectory);
  expect(offline).toMatchObject({ name: database, file: { path: database } });
  expect(await offline.runs()).toBeNull();
  const { store, opened } = begin();
  await opened;
  await store.beginRun(run({ version: '9.9.9' }));
  expect(await offline.runs()).toMatchObject([{ version: '9.9.9' }]);
  await store.close();
  expect(await offline.runs()).toMatchObject([{ version: '9.9.9' }]);
  expect((await offline.tools(false)).check?.()).toEqual([]);
});

test('one that can’t be opened says why to whoever waits for it, and is no end that comes by itself', async () => {
  const { store, opened, told } = begin({ SD_GATEWAY_STORE_PATH: stateDirectory });
  const waiting = store.counts();
  await expect(opened).rejects.toMatchObject({ name: 'StoreError' });
  await expect(waiting).rejects.toMatchObject({ name: 'StoreError' });
  await expect(store.close()).rejects.toMatchObject({ name: 'StoreError' });
  expect(told.filter((text) => text.includes('thread'))).toEqual([]);
});
