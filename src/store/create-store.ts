import type { StoreConfiguration } from '../config/store-table.js';
import type { OpeningStore, StoreEvents } from './open-store.js';
import { sqliteKind } from './sqlite/sqlite-kind.js';
import type { OfflineStore, StoreKind, StoreSetup } from './store-kind.js';

type Settings<Type> = Extract<StoreConfiguration, { readonly type: Type }>;

/** The kinds of store, by the `type` of their settings. */
const kinds: { readonly [Type in StoreConfiguration['type']]: StoreKind<Settings<Type>> } = {
  sqlite: sqliteKind,
};

/** The table has each kind under the type of its own settings. */
const kindOf = ({ type }: StoreConfiguration) => kinds[type] as StoreKind<StoreConfiguration>;

/** Opens the store that the configuration asks for. Does not wait for it: see `opened`. */
export function openStore(setup: StoreSetup<StoreConfiguration>, events: StoreEvents): OpeningStore {
  return kindOf(setup.settings).open(setup, events);
}

/** See `StoreKind.nameOf`. */
export function storeName(settings: StoreConfiguration, stateDirectory: string): string {
  return kindOf(settings).nameOf(settings, stateDirectory);
}

/** See `StoreKind.fileOf`. */
export function storeFile(settings: StoreConfiguration, stateDirectory: string): string | null {
  return kindOf(settings).fileOf(settings, stateDirectory);
}

/** See `StoreKind.offline`. */
export function offlineStore(settings: StoreConfiguration, stateDirectory: string): OfflineStore {
  return kindOf(settings).offline(settings, stateDirectory);
}

/** See `StoreKind.check`. */
export async function checkStore(settings: StoreConfiguration, stateDirectory: string): Promise<void> {
  await kindOf(settings).check?.(settings, stateDirectory);
}
