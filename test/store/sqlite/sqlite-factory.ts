import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openSqliteStore,
  type SqliteStore,
  type SqliteStoreOptions,
} from '../../../src/store/sqlite/sqlite-store.js';
import Database from '../../support/sqlite.mjs';
import type { StoreFactory } from '../contract/store-contract.js';
import { clock } from '../samples.js';

/** A directory of its own, with a database in it that can be opened again and again. */
export class SqliteFactory implements StoreFactory {
  readonly directory: string;
  readonly path: string;
  #stores: SqliteStore[] = [];

  constructor(parent = tmpdir()) {
    this.directory = mkdtempSync(join(parent, 'sd-gateway-store-'));
    this.path = join(this.directory, 'gateway.db');
    clock.now = 1_000;
  }

  /** Loads the remains of a killed gateway of an earlier schema version (fixtures/make.mjs). */
  loadFixture(version: number, path = this.path): void {
    const database = new Database(path);
    database.exec(readFileSync(new URL(`../fixtures/schema-${version}.sql`, import.meta.url), 'utf8'));
    database.close();
  }

  async openWithReport(options: Partial<SqliteStoreOptions> = {}) {
    const opened = await openSqliteStore({
      path: this.path,
      busyTimeout: 5_000,
      maxAttempts: 3,
      now: () => clock.now,
      ...options,
    });
    this.#stores.push(opened.store);
    return opened;
  }

  async open(options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
    return (await this.openWithReport(options)).store;
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  async remove(): Promise<void> {
    await this.close();
    rmSync(this.directory, { recursive: true });
  }
}
