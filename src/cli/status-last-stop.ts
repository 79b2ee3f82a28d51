import { messageIds } from '../log/message-ids.js';
import { fieldOf, type JournalRecord } from '../manager/journal-reader.js';
import { invocationOf } from '../manager/unit-records.js';
import { lastRecord } from './operate-journal.js';
import type { UnitFacts } from './operate-unit.js';
import { type LastStop, withoutWord } from './status-report.js';

function numberOf(record: JournalRecord | null, field: string): number | null {
  const value = record === null ? null : fieldOf(record, field);
  return value === null || !/^\d+$/.test(value) ? null : Number(value);
}

/**
 * What the journal knows of the last stop; null: nothing. A start that is followed by no word of a stop is one that
 * ended without.
 */
export async function lastStopInJournal(unit: UnitFacts): Promise<LastStop | null> {
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
