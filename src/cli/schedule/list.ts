import type { ServiceManager } from '../../manager/service-manager.js';
import { parseProperties } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { scheduleUnits } from '../../units/schedule-units.js';
import { readTime } from '../operate/unit.js';
import { CalendarError, nextElapses } from './calendar.js';
import { type ScheduleStore, scheduleNames } from './remove.js';

/** A schedule as it is shown. Times: ms since the Unix epoch; null: none, or not known. */
export interface ListedSchedule {
  readonly name: string;
  readonly timer: string;
  /** Null: this user may not read it. */
  readonly session: string | null;
  readonly calendar: string | null;
  readonly next: number | null;
  readonly last: number | null;
  /** Elapses that wait for the gateway. */
  readonly waiting: number | null;
  /** The last run's: "success", "exit-code 78", "running", "waits for the gateway"; null: it has not run since the boot. */
  readonly result: string | null;
  /** ActiveState= of the timer. */
  readonly state: string;
  /** Why the file of the schedule can't be read. */
  readonly trouble: string | null;
}

async function show(
  manager: ServiceManager,
  unit: string,
  properties: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  // In UTC, so that the times can be read whatever the time zone here is called.
  const words = ['show', unit, '--no-pager', `--property=${properties.join(',')}`];
  const { stdout } = await manager.systemctl(words, { environment: { TZ: 'UTC' } });
  return parseProperties(stdout);
}

/** The outcome of the last run in a word; null: there was none. */
function resultOf({
  ActiveState = '',
  SubState = '',
  Result = '',
  ExecMainStatus = '0',
  ExecMainExitTimestamp = '',
}: Readonly<Record<string, string>>): string | null {
  if (SubState.startsWith('auto-restart')) return 'waits for the gateway';
  if (ActiveState === 'activating' || ActiveState === 'active') return 'running';
  if (readTime(ExecMainExitTimestamp) === null) return null;
  return Result === 'exit-code' ? `${Result} ${ExecMainStatus}` : Result;
}

/** Null: it never comes again. */
async function nextOf(calendar: string): Promise<number | null> {
  try {
    const [next = null] = await nextElapses(calendar, 1);
    return next === null ? null : next * 1_000;
  } catch (error) {
    if (error instanceof CalendarError) return null;
    throw error;
  }
}

async function listed(store: ScheduleStore, name: string): Promise<ListedSchedule> {
  const { manager, instance, files } = store;
  const { timer, service } = scheduleUnits(instance, name);
  const [ofTimer, ofService] = await Promise.all([
    show(manager, timer, ['ActiveState', 'NextElapseUSecRealtime', 'LastTriggerUSec', 'TimersCalendar']),
    show(manager, service, ['ActiveState', 'SubState', 'Result', 'ExecMainStatus', 'ExecMainExitTimestamp']),
  ]);
  let session: string | null = null;
  let waiting: number | null = null;
  let trouble: string | null = null;
  try {
    const definition = files.read(name);
    if (definition === null) trouble = 'its file is gone: remove the schedule';
    else {
      session = definition.session;
      waiting = files.progress(name, definition).pending.length;
    }
  } catch (error) {
    trouble = errorMessage(error);
  }
  const calendar = /OnCalendar=(.*?) ;/.exec(ofTimer['TimersCalendar'] ?? '')?.[1] ?? null;
  const state = ofTimer['ActiveState'] ?? 'unknown';
  const told = readTime(ofTimer['NextElapseUSecRealtime'] ?? '');
  return {
    name,
    timer,
    session,
    calendar,
    // While its service runs a timer waits for no elapse; they count all the same.
    next: told ?? (state === 'active' && calendar !== null ? await nextOf(calendar) : null),
    last: readTime(ofTimer['LastTriggerUSec'] ?? ''),
    waiting,
    result: resultOf(ofService),
    state,
    trouble,
  };
}

export function list(store: ScheduleStore): Promise<readonly ListedSchedule[]> {
  return Promise.all(scheduleNames(store).map((name) => listed(store, name)));
}
