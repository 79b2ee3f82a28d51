import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openSqliteStore,
  type SqliteStore,
  type SqliteStoreOptions,
} from '../../src/store/sqlite/sqlite-store.js';
import type { StoreFactory } from './store-contract.js';

/** A directory of its own, with a database in it that can be opened again and again. */
export class SqliteFactory implements StoreFactory {
  readonly directory = mkdtempSync(join(tmpdir(), 'sd-gateway-store-'));
  readonly path = join(this.directory, 'gateway.db');
  #stores: SqliteStore[] = [];

  async openWithFinding(options: Partial<SqliteStoreOptions> = {}) {
    const opened = await openSqliteStore({ path: this.path, busyTimeout: 5_000, maxAttempts: 3, ...options });
    this.#stores.push(opened.store);
    return opened;
  }

  async open(options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
    return (await this.openWithFinding(options)).store;
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.directory, { recursive: true });
  }
}
