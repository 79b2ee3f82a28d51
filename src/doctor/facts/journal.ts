import { existsSync } from 'node:fs';
import { messageIds } from '../../log/fields.js';
import {
  fieldOf,
  invocationOf,
  JournalError,
  type JournalRecord,
  managerMessages,
  mayReadJournal,
  messageMatches,
  readJournal,
  recordMatches,
  type UnitOfRecords,
} from '../../manager/journal.js';
import { stoppedJournald } from '../../manager/journald.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import {
  type HistoryEvent,
  type JournaldFacts,
  type JournalFacts,
  type Known,
  known,
  unknown,
} from '../facts.js';

/** Longest wait for the journal, in ms. */
const journalTimeout = 10_000;

/** journald's own, of records that it dropped; sd-messages(3). */
const suppressedMessage = 'a596d6fe7bfa4994828e72309e95d61e';

const kinds: Readonly<Record<string, HistoryEvent['kind']>> = {
  [managerMessages.starting]: 'starting',
  [managerMessages.started]: 'started',
  [managerMessages.unitFailed]: 'start-failed',
  [managerMessages.failureResult]: 'failed',
  [messageIds.stopRequested]: 'stop',
  [messageIds.foreignKill]: 'foreign-kill',
  [messageIds.crash]: 'crash',
  [messageIds.watchdogStall]: 'stall',
};

function eventOf(record: JournalRecord): HistoryEvent | null {
  const kind = kinds[fieldOf(record, 'MESSAGE_ID') ?? ''];
  if (kind === undefined) return null;
  return {
    at: Number(fieldOf(record, '__REALTIME_TIMESTAMP') ?? 0) / 1_000,
    kind,
    text: (fieldOf(record, 'MESSAGE') ?? '').split('\n')[0] ?? '',
    invocation: invocationOf(record),
  };
}

async function newest(
  unit: UnitOfRecords,
  matches: readonly string[],
  lines: number,
  signal: AbortSignal,
): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  const query = { namespace: unit.logNamespace, matches, lines, reverse: true, signal };
  for await (const record of readJournal(query)) records.push(record);
  return records.reverse();
}

/** Reads the unit's last starts and stops from the journal. */
export async function gatherJournal(
  unit: UnitOfRecords,
  invocation: string | null,
): Promise<Known<JournalFacts>> {
  const signal = AbortSignal.timeout(journalTimeout);
  const { own, manager } = recordMatches(unit);
  const { starting, started, unitFailed, failureResult } = managerMessages;
  const { stopRequested, foreignKill, crash, watchdogStall, drainFinished } = messageIds;
  try {
    const records = await newest(
      unit,
      [
        ...own,
        ...messageMatches([stopRequested, foreignKill, crash, watchdogStall, drainFinished]),
        '+',
        ...manager,
        ...messageMatches([starting, started, unitFailed, failureResult]),
      ],
      100,
      signal,
    );
    const origins = ['unit', 'wrapper', 'inherited', 'container', 'none'].map(
      (origin) => `SD_GATEWAY_SUPERVISION=${origin}`,
    );
    const [start] =
      invocation === null
        ? []
        : await newest(unit, [...own, `_SYSTEMD_INVOCATION_ID=${invocation}`, ...origins], 1, signal);
    const ofJournald = [`MESSAGE_ID=${suppressedMessage}`, '_COMM=systemd-journal'];
    const dropped = await newest(unit, ofJournald, 50, signal);
    if (signal.aborted) return unknown(`journalctl did not answer within ${journalTimeout / 1_000} s`);
    return known({
      events: records.map(eventOf).filter((event) => event !== null),
      drains: records
        .map((record) => fieldOf(record, 'SD_GATEWAY_DRAIN_USEC'))
        .filter((drain) => drain !== null)
        .map((drain) => Number(drain) / 1_000),
      supervision: start === undefined ? null : fieldOf(start, 'SD_GATEWAY_SUPERVISION'),
      suppressed: dropped
        .map((record) => fieldOf(record, 'MESSAGE') ?? '')
        .filter((text) => text.includes(unit.name)),
      mayRead: mayReadJournal(unit),
    });
  } catch (error) {
    if (error instanceof JournalError || error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}

/** Settings of journald.conf(5) and its drop-ins, in the order in which they are printed: the last one counts. */
export function journaldSettings(text: string): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^\s*(Storage|RateLimitBurst|RateLimitIntervalSec)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) settings[match[1]] = match[2];
  }
  return settings;
}

/** The settings of the journald that takes the unit's records: a namespace has one of its own. */
export async function gatherJournald(namespace: string | null): Promise<Known<JournaldFacts>> {
  try {
    const { status, stdout, stderr } = await runProgram('systemd-analyze', [
      'cat-config',
      namespace === null ? 'systemd/journald.conf' : `systemd/journald@${namespace}.conf`,
    ]);
    // A namespace needs no file of its own.
    if (status !== 0 && namespace === null) return unknown(stderr.trim());
    const settings = journaldSettings(stdout);
    return known({
      stopped: await stoppedJournald(namespace),
      // The defaults of journald.conf(5).
      storage: settings['Storage'] ?? (namespace === null ? 'auto' : 'persistent'),
      persistentDirectory: existsSync('/var/log/journal'),
      rateLimitBurst: settings['RateLimitBurst'] ?? null,
      rateLimitInterval: settings['RateLimitIntervalSec'] ?? null,
    });
  } catch (error) {
    if (error instanceof ProgramError) return unknown(error.message);
    throw error;
  }
}
