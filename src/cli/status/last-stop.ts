import { homedir } from 'node:os';
import { databaseAccess } from '../../config/database-file.js';
import { ConfigurationError, loadConfiguration } from '../../config/load.js';
import { actingAs, IdentityError } from '../../linux/owner.js';
import { messageIds } from '../../log/fields.js';
import { fieldOf, invocationOf, type JournalRecord } from '../../manager/journal.js';
import type { ServiceManager } from '../../manager/service-manager.js';
import { StoreError } from '../../store/store-error.js';
import { settingsProperties, unitSettings } from '../../units/unit-settings.js';
import { lastRecord } from '../operate/journal.js';
import type { UnitState } from '../operate/unit.js';
import { type LastStop, lastStopOf, withoutWord } from './report.js';

function numberOf(record: JournalRecord | null, field: string): number | null {
  const value = record === null ? null : fieldOf(record, field);
  return value === null || !/^\d+$/.test(value) ? null : Number(value);
}

/**
 * Reads the last stop from the journal; null if it has none. A start that is followed by no record of a stop is one that
 * ended without.
 */
export async function lastStopInJournal(unit: UnitState): Promise<LastStop | null> {
  const stops = [messageIds.stopRequested, messageIds.foreignKill, messageIds.crash];
  const record = await lastRecord(unit, [...stops, messageIds.ready], {
    except: unit.mainPid === null ? null : unit.invocationId,
  });
  if (record === null) return null;
  const invocationId = invocationOf(record);
  const message = fieldOf(record, 'MESSAGE') ?? '';
  const id = fieldOf(record, 'MESSAGE_ID');
  if (id === messageIds.ready) return withoutWord('journal', invocationId);
  const drained =
    invocationId === null
      ? null
      : await lastRecord(unit, [messageIds.drainFinished, messageIds.putBack], {
          fields: [`_SYSTEMD_INVOCATION_ID=${invocationId}`],
        });
  return {
    ...withoutWord('journal', invocationId),
    at: Number(fieldOf(record, '__REALTIME_TIMESTAMP') ?? 0) / 1_000,
    cause: fieldOf(record, 'SD_GATEWAY_STOP_CAUSE') ?? (id === messageIds.crash ? 'crash' : null),
    description: (message.split('\n')[0] ?? '').replace(/^Stopping: /, ''),
    drainMicroseconds: numberOf(drained, 'SD_GATEWAY_DRAIN_USEC'),
    putBackTurns: numberOf(drained, 'SD_GATEWAY_PUT_BACK'),
  };
}

/**
 * Reads the end of a stopped gateway's last run from the record in its store; null if there is none, or this user may
 * not read it.
 */
export async function lastStopInStore(
  manager: ServiceManager,
  { name, scope }: UnitState,
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
    const { loadSqlite, readRuns } = await import('../../store/sqlite/tools/offline.js');
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
