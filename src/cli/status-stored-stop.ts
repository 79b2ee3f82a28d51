import { homedir } from 'node:os';
import { databaseAccess } from '../config/database-file.js';
import { ConfigurationError, loadConfiguration } from '../config/load.js';
import { actingAs, IdentityError } from '../files/owner.js';
import type { ServiceManager } from '../manager/service-manager.js';
import { StoreError } from '../store/store.js';
import { settingsProperties, unitSettings } from '../units/unit-settings.js';
import type { UnitFacts } from './operate-unit.js';
import { type LastStop, lastStopOf } from './status-report.js';

/**
 * How the last run of a stopped unit's gateway ended, by the record in its store; null: there is none, or this user may
 * not read it.
 */
export async function lastStopInStore(
  manager: ServiceManager,
  { name, scope }: UnitFacts,
  instance: string | null,
): Promise<LastStop | null> {
  const shown = await manager.show(name, settingsProperties);
  const systemdVersion = await manager.version();
  try {
    const { environment, directories, file } = unitSettings(shown, {
      scope,
      instance,
      systemdVersion,
      home: homedir(),
      environment: process.env,
      uid: process.getuid?.() ?? -1,
    });
    const { configuration } = loadConfiguration({ file: file.path, required: file.named, environment });
    const { loadSqlite, readRuns } = await import('../store/sqlite/offline-runs.js');
    const { path, user } = databaseAccess(configuration, directories.state);
    loadSqlite(path);
    const runs = actingAs(user, () => readRuns(path));
    return lastStopOf(runs?.[0], 'store');
  } catch (error) {
    // The journal is the other witness; "doctor" says what is wrong with the configuration or the store.
    if (
      error instanceof ConfigurationError ||
      error instanceof StoreError ||
      error instanceof IdentityError ||
      (error as NodeJS.ErrnoException).code !== undefined
    ) {
      return null;
    }
    throw error;
  }
}
