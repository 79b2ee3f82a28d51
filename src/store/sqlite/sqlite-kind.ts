import { fileURLToPath } from 'node:url';
import type { SqliteSettings } from '../../config/store-table.js';
import { native } from '../../linux/native.js';
import { actingAs } from '../../linux/owner.js';
import type { OfflineStore, StoreFile, StoreKind } from '../store-kind.js';
import { databaseAccess, databaseFile } from './file/database-file.js';
import { logState } from './file/log-room.js';
import { beginSqliteStore } from './sqlite-store.js';

/** A file on this machine, in a thread of its own. */
export const sqliteKind: StoreKind<SqliteSettings> = {
  open: ({ settings, policy, lastRun, stateDirectory }, events) => {
    const store = beginSqliteStore({
      ...policy,
      ...lastRun,
      path: databaseFile(settings, stateDirectory),
      busyTimeout: settings.busy_timeout,
      keep: settings.keep,
      extendStartTimeout: true,
      events,
    });
    return { store, opened: store.opened.then(({ recovery }) => recovery) };
  },
  nameOf: databaseFile,
  fileOf: databaseFile,
  check: async (settings, stateDirectory) => {
    // The database's module is loaded only where it is needed.
    const { checkOpenable } = await import('./tools/offline.js');
    checkOpenable(databaseFile(settings, stateDirectory));
  },
  offline: (settings, stateDirectory) => offlineSqlite(databaseAccess(settings, stateDirectory)),
};

function offlineSqlite(file: StoreFile): OfflineStore {
  const { path, user } = file;
  return {
    name: path,
    file,
    probe: [
      fileURLToPath(new URL('./integrity-probe.js', import.meta.url)),
      path,
      ...(user === null ? [] : [String(user)]),
    ],
    lost: async () => {
      const { lostDatabase } = await import('./tools/offline.js');
      return actingAs(user, () => lostDatabase(path)?.message ?? null);
    },
    log: () => actingAs(user, () => logState(path)),
    runs: async () => {
      // The database's module is loaded only where it is needed.
      const { loadSqlite, readRuns } = await import('./tools/offline.js');
      loadSqlite(path);
      return actingAs(user, () => readRuns(path));
    },
    describe: async () => {
      const { describeDatabase, loadSqlite } = await import('./tools/offline.js');
      loadSqlite(path);
      return actingAs(user, () => describeDatabase(path));
    },
    tools: async (changes) => {
      const tools = await import('./tools/maintenance.js');
      tools.loadSqlite(path);
      if (!changes) {
        return {
          check: () => tools.checkStore(path),
          backUp: (target, asCaller) => tools.backUpStore(path, target, asCaller),
          exportAll: (write) => tools.exportStore(path, write),
        };
      }
      const { alone } = await import('./tools/alone.js');
      // The lock needs it.
      native();
      return {
        importAll: (items) => alone(path, () => tools.importToStore(path, items)),
        recover: (stamp, wantsSound) =>
          alone(path, async () => {
            if (tools.isSound(path) && !(await wantsSound())) return null;
            return tools.recoverStore(path, stamp);
          }),
      };
    },
  };
}
