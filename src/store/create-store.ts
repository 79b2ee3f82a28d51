import { databaseFile } from '../config/directories.js';
import type { StoreConfiguration } from '../config/store-table.js';
import type { LastRun, OpeningStore, StoreEvents, StorePolicy } from './open-store.js';
import type { PreparedStore } from './prepare-store.js';
import { beginSqliteStore } from './sqlite/sqlite-store.js';

export interface StoreSetup {
  readonly settings: StoreConfiguration;
  readonly policy: StorePolicy;
  readonly lastRun: LastRun;
  /** The directory of a database, unless the settings name a path. */
  readonly stateDirectory: string;
  readonly prepared: PreparedStore;
}

/** Opens the store that the configuration asks for. Does not wait for it: see `opened`. */
export function openStore(setup: StoreSetup, events: StoreEvents): OpeningStore {
  const { settings, policy, lastRun, stateDirectory, prepared } = setup;
  switch (settings.type) {
    case 'sqlite': {
      const store = beginSqliteStore({
        ...policy,
        ...lastRun,
        path: databaseFile({ store: settings }, stateDirectory),
        busyTimeout: settings.busy_timeout,
        keep: settings.keep,
        extendStartTimeout: true,
        thread: prepared.sqliteThread,
        events,
      });
      return { store, opened: store.opened.then(({ recovery }) => recovery) };
    }
  }
}
