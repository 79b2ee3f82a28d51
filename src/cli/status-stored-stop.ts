import { homedir } from 'node:os';
import { databaseFile } from '../config/database-file.js';
import { ConfigurationError, loadConfiguration } from '../config/load.js';
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
  const { environment, directories, file } = unitSettings(await manager.show(name, settingsProperties), {
    scope,
    instance,
    systemdVersion: await manager.version(),
    home: homedir(),
    environment: process.env,
    uid: process.getuid?.() ?? -1,
  });
  try {
    const { configuration } = loadConfiguration({ file: file.path, required: file.named, environment });
    const { readRuns } = await import('../store/sqlite/offline-runs.js');
    const runs = readRuns(databaseFile(configuration, directories.state));
    return lastStopOf(runs?.[0], 'store');
  } catch (error) {
    // The journal is the other witness; "doctor" says what is wrong with the configuration or the store.
    if (error instanceof ConfigurationError || error instanceof StoreError) return null;
    throw error;
  }
}
