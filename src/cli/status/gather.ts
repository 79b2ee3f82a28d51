import { homedir } from 'node:os';
import { askFacts, type FactsAnswer } from '../../channels/control/ask-facts.js';
import { addressesElsewhere } from '../../channels/http/server/port-holder.js';
import { ConfigurationError, loadConfiguration } from '../../config/load.js';
import { IdentityError } from '../../linux/owner.js';
import { parseProcessStat, readProc } from '../../linux/process.js';
import { messageIds } from '../../log/fields.js';
import { fieldOf, invocationOf, type JournalRecord } from '../../manager/journal.js';
import { describeStopped, stoppedJournald } from '../../manager/journald.js';
import { describeQueuedStart, type QueuedJob, startsUnit, tellQueuedJob } from '../../manager/queued-job.js';
import { isBetweenStarts, type ServiceManager } from '../../manager/service-manager.js';
import { offlineStore } from '../../store/create-store.js';
import { StoreError } from '../../store/store-error.js';
import type { OfflineStore, StoreLog } from '../../store/store-kind.js';
import { formatExactTimeSpan } from '../../text/time-span.js';
import { type Drift, driftHere } from '../../units/drift.js';
import { settingsProperties, unitSettings } from '../../units/unit-settings.js';
import { answers } from '../client/control.js';
import { controlSocketOf, namedByDirectory } from '../client/locate.js';
import { describeResult, hitStartLimit, nextAfter } from '../operate/failure.js';
import { obstaclesTo } from '../operate/failure-report.js';
import { commandFor, type Found, findUnit, managerOf, systemctlFor, type Target } from '../operate/find.js';
import { errorsOf, failureOf, type JournalLine, journalTrouble, lastRecord } from '../operate/journal.js';
import type { UnitState } from '../operate/unit.js';
import {
  type DriftFacts,
  type LastStop,
  lastStopOf,
  type StatusReport,
  type StatusVerdict,
  silentEnd,
  verdictOf,
  withoutWord,
} from './report.js';

function numberOf(record: JournalRecord | null, field: string): number | null {
  const value = record === null ? null : fieldOf(record, field);
  return value === null || !/^\d+$/.test(value) ? null : Number(value);
}

/** The description in the record of a whole stop. */
const stoppedText = /^Stopped after \d+ ms: (.*?)(?:; \d+ turns? ended, .*)?$/s;

/**
 * Reads the end of the last run from the journal; null if it has none. A run whose newest record is that of its start, or
 * of the begin of its stop, ended without a word.
 */
export async function lastStopInJournal(unit: UnitState): Promise<LastStop | null> {
  const { ready, stopRequested, foreignKill, stopped, crash } = messageIds;
  const record = await lastRecord(unit, [ready, stopRequested, foreignKill, stopped, crash], {
    except: unit.mainPid === null ? null : unit.invocationId,
  });
  if (record === null) return null;
  const silent = withoutWord('journal', invocationOf(record));
  const [message = ''] = (fieldOf(record, 'MESSAGE') ?? '').split('\n');
  const ended = {
    ...silent,
    at: Number(fieldOf(record, '__REALTIME_TIMESTAMP') ?? 0) / 1_000,
    drainMicroseconds: numberOf(record, 'SD_GATEWAY_DRAIN_USEC'),
    finishedTurns: numberOf(record, 'SD_GATEWAY_FINISHED'),
    putBackTurns: numberOf(record, 'SD_GATEWAY_PUT_BACK'),
    deadMessages: numberOf(record, 'SD_GATEWAY_DEAD'),
    exitStatus: numberOf(record, 'SD_GATEWAY_EXIT_STATUS'),
  };
  switch (fieldOf(record, 'MESSAGE_ID')) {
    case stopped: {
      const description = stoppedText.exec(message)?.[1] ?? message;
      return { ...ended, cause: fieldOf(record, 'SD_GATEWAY_STOP_CAUSE'), description };
    }
    case crash:
      return { ...ended, cause: 'crash', description: message };
    case ready:
      return silent;
    default:
      return {
        ...silent,
        description: `${silent.description}; it had begun to stop: ${message.replace(/^Stopping: /, '')}`,
      };
  }
}

/** Reads something of the store of the unit's gateway; null if it is not there, or this user may not look. */
async function fromStore<Fact>(
  manager: ServiceManager,
  { name, scope }: UnitState,
  instance: string | null,
  read: (store: OfflineStore) => Promise<Fact | null> | Fact | null,
): Promise<Fact | null> {
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
    return await read(offlineStore(configuration.store, directories.state));
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

/** Reads the end of a stopped gateway's last run from the record in its store. */
export function lastStopInStore(
  manager: ServiceManager,
  unit: UnitState,
  instance: string | null,
): Promise<LastStop | null> {
  return fromStore(manager, unit, instance, async (store) => lastStopOf((await store.runs())?.[0], 'store'));
}

/** Number of the journal's errors that are shown. */
const shownErrors = 5;

/**
 * Lists what else a person may want to know or do.
 * @param obstacles what keeps the unit from being started
 * @param job the job of a unit that is down; null: it has none
 * @param failedSockets its socket units that have failed
 */
export function notesOf(
  verdict: StatusVerdict,
  unit: UnitState | null,
  target: Target,
  found: Found,
  obstacles: readonly string[] = [],
  job: QueuedJob | null = null,
  failedSockets: readonly string[] = [],
): readonly string[] {
  const notes: string[] = [];
  const trouble = found.kind === 'unit' ? null : found.trouble;
  if (trouble !== null) {
    notes.push(`Note: ${trouble.text}.${trouble.next === null ? '' : ` ${trouble.next}`}`);
  }
  if (found.kind === 'elsewhere') {
    const { name, path, scope } = found.unit;
    notes.push(
      `Note: ${name} is a unit of ${managerOf(scope)}${path === null ? '' : ` (${path})`}${found.trouble === null ? `; ${managerOf(target.scope)} has none` : ''}. See it with: ${commandFor('status', { ...target, scope }, false)}`,
    );
  }
  if (unit?.needsDaemonReload === true) {
    notes.push(
      `Note: the unit’s file has changed since systemd read it. For it to count: ${systemctlFor('daemon-reload', unit.scope)}`,
    );
  }
  const own = unit === null ? target : { ...target, scope: unit.scope };
  if (unit?.isFrozen === true) {
    notes.push(
      unit.activeState === 'deactivating'
        ? `Note: it is frozen, and can’t end by itself: systemd kills it after TimeoutStopSec=. To have it killed at once: ${systemctlFor(`kill --signal=KILL ${unit.name}`, unit.scope)}`
        : `Note: it is frozen, and answers nobody. To have it go on: ${systemctlFor(`thaw ${unit.name}`, unit.scope)}`,
    );
  }
  if (unit?.loadState === 'not-found') {
    notes.push(
      `Note: the unit file is gone, and nothing would start the gateway again. To write it anew: ${commandFor('install', own, true)}`,
    );
  }
  if (unit !== null && isBetweenStarts(unit.subState)) {
    const delay =
      unit.restartDelay === null ? '' : ` ${formatExactTimeSpan(unit.restartDelay)} after each end`;
    notes.push(`systemd starts it again by itself${delay}.`);
  }
  const isQueued = job !== null && startsUnit(job);
  if (isQueued) notes.push(describeQueuedStart(job));
  notes.push(...obstacles);
  if (unit !== null && failedSockets.length > 0) {
    const sockets = failedSockets.join(' ');
    notes.push(
      `Note: ${sockets} has failed too, and nobody listens for it.`,
      `See why: ${commandFor('doctor', own, false)}`,
      `Mend it, then: ${systemctlFor(`reset-failed ${sockets} ${unit.name}`, unit.scope)} && ${systemctlFor(`start ${sockets}`, unit.scope)}`,
    );
  } else if (verdict === 'failed' && unit !== null && (obstacles.length === 0 || hitStartLimit(unit))) {
    notes.push(...nextAfter(unit, own));
  }
  if (verdict === 'foreground' && unit !== null) {
    notes.push(
      `Note: ${unit.name} is not running; the gateway that answers was started in the foreground, with the same directories.`,
    );
  }
  if (verdict === 'stopped' && unit?.loadState === 'loaded' && !isQueued && obstacles.length === 0) {
    notes.push(`To start it: ${commandFor('start', own, true)}`);
  }
  if (unit?.loadState === 'masked') {
    notes.push(`It is masked. To make it startable: ${systemctlFor(`unmask ${unit.name}`, unit.scope)}`);
  }
  if (verdict === 'not-installed' && found.kind === 'none') {
    notes.push(
      `There is no unit and no gateway in the foreground. To install one: ${commandFor('install', target, true)}`,
    );
  }
  return notes;
}

/** Says why the gateway itself could not be asked; null if it was, or if nobody would expect an answer. */
function gatewayTroubleOf(answer: FactsAnswer, unit: UnitState | null, target: Target): string | null {
  switch (answer.outcome) {
    case 'told':
      return null;
    case 'forbidden':
      return `${answer.reason}; what only the gateway knows is missing here. ${unit?.scope === 'system' ? `As root: sudo ${commandFor('status', { ...target, scope: 'system' }, false, 0)}` : 'Ask as the user that it runs as.'}`;
    case 'absent':
      return unit !== null && unit.mainPid !== null ? answer.reason : null;
    case 'unanswered':
      return answer.reason;
  }
}

/** Says that somebody has stopped the process in its tracks; nothing if nobody has, or if that can't be seen. */
function stoppedNotes(pid: number): readonly string[] {
  const stat = parseProcessStat(readProc(`/proc/${pid}/stat`) ?? '');
  if (stat?.state !== 'T') return [];
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return [
    `Note: its process is stopped (SIGSTOP), and answers nobody. To have it go on: ${sudo}kill -CONT ${pid}`,
  ];
}

/** Finds the end of the last run, and asks the manager about one that left no word. */
async function lastStopFor(
  answer: FactsAnswer,
  found: Found,
  unit: UnitState | null,
  instance: string | null,
): Promise<LastStop | null> {
  const stop = await ownLastStop(answer, found, unit, instance);
  if (stop === null || unit === null || stop.cause !== null) return stop;
  if (stop.invocationId === null || stop.invocationId === unit.invocationId) return withResult(stop, unit);
  const failure = await failureOf(unit, stop.invocationId);
  if (failure === null) return stop;
  // The unit's present command and limit are not those of that run.
  const then = { ...unit, ...failure, failedCommand: null, runtimeLimit: null };
  return withResult(stop, { ...then, invocationId: stop.invocationId });
}

async function ownLastStop(
  answer: FactsAnswer,
  found: Found,
  unit: UnitState | null,
  instance: string | null,
): Promise<LastStop | null> {
  if (answer.outcome === 'told') return lastStopOf(answer.facts.runs[1], 'gateway');
  if (unit === null || found.kind === 'none') return null;
  // A gateway that still runs, in the foreground say, has the store to itself, and its own run there is the newest.
  const isDown = unit.mainPid === null && answer.outcome === 'absent';
  const stored = isDown ? await lastStopInStore(found.manager, unit, instance) : null;
  // After a crash the store has no record of the end; the journal or systemd may have the reason.
  if (stored !== null && stored.cause !== null) return stored;
  return (await lastStopInJournal(unit)) ?? stored;
}

/** Says what systemd knows of the end of a run that left no word. */
export function withResult(stop: LastStop | null, unit: UnitState): LastStop | null {
  const isItsRun = stop !== null && stop.invocationId === unit.invocationId && unit.invocationId !== null;
  if (!isItsRun || stop.cause !== null || unit.result === 'success') return stop;
  const at = stop.at ?? unit.exit?.at ?? null;
  const description = stop.description.replace(
    silentEnd,
    `it left no record of its end: ${describeResult(unit)}`,
  );
  return { ...stop, at, description };
}

async function storeLogFor(
  answer: FactsAnswer,
  found: Found,
  unit: UnitState | null,
  instance: string | null,
): Promise<StoreLog | null> {
  if (answer.outcome !== 'told' || unit === null || found.kind === 'none') return null;
  return fromStore(found.manager, unit, instance, (store) => store.log?.() ?? null);
}

/** The socket units that start it and have failed, as after too many starts: only they listen, and not again by themselves. */
async function failedSocketsOf(manager: ServiceManager, { triggeredBy }: UnitState): Promise<string[]> {
  const failed: string[] = [];
  for (const name of triggeredBy.filter((trigger) => trigger.endsWith('.socket'))) {
    const { ActiveState } = await manager.show(name, ['ActiveState']);
    if (ActiveState === 'failed') failed.push(name);
  }
  return failed;
}

async function errorsFor(unit: UnitState | null): Promise<readonly JournalLine[] | string> {
  if (unit === null) return [];
  try {
    return await errorsOf(unit, shownErrors);
  } catch (error) {
    return journalTrouble(error);
  }
}

/**
 * Asks everybody who knows something: the service manager, the gateway, its store, the journal.
 * @param explicitScope whether the person named the scope: then a unit in the other one is no answer, only a hint
 */
export async function gather(target: Target, explicitScope: boolean): Promise<StatusReport> {
  const found: Found = namedByDirectory() ? { kind: 'none', trouble: null } : await findUnit(target);
  const ownSocket = controlSocketOf(target, null);
  let unit = found.kind === 'unit' ? found.unit : null;
  if (found.kind === 'elsewhere' && !explicitScope && !(await answers(ownSocket))) unit = found.unit;
  const answer = await askFacts(controlSocketOf(target, unit));
  // systemd 252 keeps FreezerState= over an automatic restart; what answers is not frozen.
  if (answer.outcome === 'told' && unit !== null) unit = { ...unit, isFrozen: false };
  const hasGateway = answer.outcome === 'told' || answer.outcome === 'unanswered';
  const managerAnswered = found.kind === 'unit' || found.trouble === null;
  const verdict = verdictOf(unit, hasGateway, managerAnswered);
  const isDown = verdict === 'stopped' || verdict === 'failed';
  const [lastStop, storeLog, errors, obstacles, job, drift, journald, failedSockets] = await Promise.all([
    lastStopFor(answer, found, unit, target.instance),
    storeLogFor(answer, found, unit, target.instance),
    errorsFor(unit),
    unit !== null && isDown ? obstaclesTo(unit, target) : [],
    found.kind !== 'none' && unit?.hasJob === true && isDown ? tellQueuedJob(found.manager, unit.name) : null,
    found.kind === 'none' || unit === null ? null : driftHere(found.manager, unit.name, target.instance),
    unit === null ? null : stoppedJournald(unit.logNamespace),
    found.kind !== 'none' && unit !== null && isDown ? failedSocketsOf(found.manager, unit) : [],
  ]);
  const notes = [...notesOf(verdict, unit, target, found, obstacles, job, failedSockets)];
  if (journald !== null) notes.push(`Note: ${describeStopped(journald)}`);
  if (typeof errors === 'string') notes.push(`Note: ${errors}.`);
  if (answer.outcome !== 'told' && unit?.mainPid != null) notes.push(...stoppedNotes(unit.mainPid));
  const gatewayTrouble = gatewayTroubleOf(answer, unit, target);
  if (gatewayTrouble !== null) notes.push(`Note: ${gatewayTrouble}`);
  const elsewhere = addressesElsewhere(answer.outcome === 'told' ? answer.facts.listening : []);
  if (elsewhere.length > 0) {
    notes.push(
      `Note: it listens on ${elsewhere.join(', ')} in a network namespace of its own (PrivateNetwork=), where no client of this machine reaches it.`,
    );
  }
  return {
    verdict,
    scope: unit?.scope ?? target.scope,
    instance: target.instance,
    at: Date.now(),
    unit,
    gateway: answer.outcome === 'told' ? answer.facts : null,
    gatewayTrouble,
    lastStop,
    storeLog,
    drift: drift === null ? null : driftFacts(drift, target),
    errors: typeof errors === 'string' ? [] : errors,
    notes,
  };
}

function textOf({ state, reason }: Drift, target: Target): string {
  const see = `see ${commandFor('install --dry-run', target, false)}`;
  switch (state) {
    case 'none':
      return 'as this version of sd-gateway writes it';
    case 'drifted':
      return `differs from what this version of sd-gateway would write; ${see}, then ${commandFor('install', target, true)}`;
    case 'edited':
      return `was edited since it was installed; ${see}. A drop-in ("systemctl edit") keeps own settings apart`;
    case 'foreign':
      return 'not written by "sd-gateway install"';
    case 'packaged':
      return 'came with a package';
    case 'undecided':
      return `whether it is what this version would write can’t be said${reason === null ? '' : `: ${reason}`}`;
    case 'not-installed':
      return 'not written by "sd-gateway install"; systemd finds it elsewhere';
  }
}

/** The drift of an installed unit for a person, with what to do. */
export function driftFacts(drift: Drift, target: Target): DriftFacts {
  return { state: drift.state, text: textOf(drift, target), difference: drift.difference };
}
