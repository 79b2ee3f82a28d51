import { ownDirectory } from '../../config/directories.js';
import {
  parseProperties,
  type Scope,
  type ServiceManager,
  ServiceManagerError,
  scopeOption,
} from '../../manager/service-manager.js';
import { parseTimeSpan } from '../../text/time-span.js';

/**
 * A unit as the service manager shows it (org.freedesktop.systemd1(5)). Times are milliseconds since the Unix epoch,
 * sizes bytes; null: not set, not known, or no limit.
 */
export interface UnitState {
  readonly scope: Scope;
  readonly name: string;
  /** "loaded", "not-found", "masked", "bad-setting", "error". */
  readonly loadState: string;
  readonly loadError: string | null;
  readonly path: string | null;
  readonly dropIns: readonly string[];
  /** UnitFileState=: "enabled", "disabled", "static", …; null: there is no unit file. */
  readonly enabled: string | null;
  /** The unit's file was changed since the manager read it. */
  readonly needsDaemonReload: boolean;
  /** "active", "reloading", "inactive", "failed", "activating", "deactivating". */
  readonly activeState: string;
  /** "running", "dead", "auto-restart", "auto-restart-queued", "start", "stop-sigterm", … */
  readonly subState: string;
  /** Start of this state; a reload does not begin a new one. */
  readonly since: number | null;
  readonly result: string;
  readonly invocationId: string | null;
  readonly mainPid: number | null;
  /** True for one that "systemctl freeze" has stopped in its tracks. */
  readonly isFrozen: boolean;
  /** The main process of now or, when there is none, of last time; and when it was started. */
  readonly lastMain: { readonly pid: number; readonly startedAt: number | null } | null;
  readonly uid: number | null;
  /** User=; null: the manager's own. */
  readonly user: string | null;
  /** True if the start makes the user (DynamicUser=). */
  readonly dynamicUser: boolean;
  readonly statusText: string | null;
  /** The end of the last main process. */
  readonly exit: {
    readonly how: 'exited' | 'killed' | 'dumped';
    /** Exit status, or number of the signal. */
    readonly status: number;
    readonly at: number | null;
  } | null;
  /** A command beside the main process that failed, such as one of ExecStartPost=; null if none did. */
  readonly failedCommand: FailedCommand | null;
  /** The command of the last reload, if it failed. */
  readonly failedReload: FailedCommand | null;
  /** False if the last start was skipped, as a condition such as ConditionPathExists= was not met. */
  readonly conditionMet: boolean;
  /** RuntimeMaxSec=, in ms; null: no limit. */
  readonly runtimeLimit: number | null;
  /** LogNamespace=: the journal that has the records of its processes. */
  readonly logNamespace: string | null;
  /** StandardError=, such as "journal" or "append". */
  readonly standardError: string | null;
  /** Restarts by the manager itself since the last start by somebody. */
  readonly restarts: number;
  readonly restart: string;
  /** True if systemd waits for READY=1 (Type=notify); any other type is "active" before it serves. */
  readonly awaitsReady: boolean;
  /** RestartSec=, in ms. */
  readonly restartDelay: number | null;
  /** TimeoutStartSec=, in ms. */
  readonly startTimeout: number | null;
  readonly startLimit: { readonly burst: number; readonly interval: number } | null;
  /** WatchdogSec= in ms, and when WATCHDOG=1 last came; null: none. */
  readonly watchdog: { readonly timeout: number; readonly lastPing: number | null } | null;
  readonly memory: {
    readonly current: number | null;
    readonly peak: number | null;
    readonly high: number | null;
    readonly max: number | null;
  };
  /** True while a job for it is queued or runs. */
  readonly hasJob: boolean;
  readonly triggeredBy: readonly string[];
  /** The gateway's own in RuntimeDirectory= and StateDirectory=; null: the unit has none, or nobody can tell which. */
  readonly runtimeDirectory: string | null;
  readonly stateDirectory: string | null;
}

/** A command of the unit other than the main process. */
export interface FailedCommand {
  /** "ExecStartPre", "ExecStartPost", … */
  readonly directive: string;
  readonly command: string;
  readonly how: 'exited' | 'killed' | 'dumped';
  /** Exit status, or number of the signal. */
  readonly status: number;
}

const properties = [
  'LoadState',
  'LoadError',
  'FragmentPath',
  'DropInPaths',
  'UnitFileState',
  'NeedDaemonReload',
  'ActiveState',
  'SubState',
  'FreezerState',
  'StateChangeTimestamp',
  'ActiveEnterTimestamp',
  'Result',
  'InvocationID',
  'MainPID',
  'UID',
  'User',
  'DynamicUser',
  'StatusText',
  'ExecMainPID',
  'ExecMainStartTimestamp',
  'ExecMainCode',
  'ExecMainStatus',
  'ExecMainExitTimestamp',
  'NRestarts',
  'Restart',
  'Type',
  'RestartUSec',
  'TimeoutStartUSec',
  'StartLimitBurst',
  'StartLimitIntervalUSec',
  'WatchdogUSec',
  'WatchdogTimestamp',
  'MemoryCurrent',
  'MemoryPeak',
  'MemoryHigh',
  'MemoryMax',
  'Job',
  'TriggeredBy',
  'RuntimeDirectory',
  'StateDirectory',
  'ConditionResult',
  'ConditionTimestamp',
  'RuntimeMaxUSec',
  'LogNamespace',
  'StandardError',
  'ExecCondition',
  'ExecStartPre',
  'ExecStartPost',
  'ExecReload',
  'ExecStop',
  'ExecStopPost',
] as const;

/** Asks the manager. Throws a ServiceManagerError, or a ProgramError. */
export async function readUnit(manager: ServiceManager, name: string): Promise<UnitState> {
  const words = ['show', name, '--no-pager', `--property=${properties.join(',')}`];
  // In UTC, so that the times can be read whatever the time zone here is called.
  const { status, stdout, stderr } = await manager.systemctl(words, { environment: { TZ: 'UTC' } });
  if (status !== 0) {
    throw new ServiceManagerError(`systemctl ${scopeOption(manager.scope)} show`, stderr.trim(), status);
  }
  return unitState(manager.scope, name, parseProperties(stdout));
}

/** Reads the properties as `systemctl show` prints them in UTC; those that this systemd doesn't know are absent. */
export function unitState(scope: Scope, name: string, shown: Readonly<Record<string, string>>): UnitState {
  const text = (property: (typeof properties)[number]): string | null => {
    const value = shown[property];
    return value === undefined || value === '' || value === '[not set]' || value === 'n/a' ? null : value;
  };
  const number = (property: (typeof properties)[number]): number | null => {
    const value = text(property);
    // The largest 64-bit number stands for "not known", and for "no limit".
    return value === null || !/^\d{1,19}$/.test(value) ? null : Number(value);
  };
  const span = (property: (typeof properties)[number]): number | null => parseTimeSpan(text(property) ?? '');
  const list = (property: (typeof properties)[number]): readonly string[] =>
    (text(property) ?? '').split(/\s+/).filter((word) => word !== '');
  // "NAME:LINK" is a directory with a symbolic link to it. The name of an instance's unit is that of its directories.
  const own = (property: 'RuntimeDirectory' | 'StateDirectory'): string | null => {
    const names = list(property).map((word) => word.split(':')[0] ?? '');
    return ownDirectory(names.join(':'), [name.replace(/\.service$/, '').replace('@', '-')]) ?? null;
  };
  const how = ([null, 'exited', 'killed', 'dumped'] as const)[number('ExecMainCode') ?? 0] ?? null;
  const burst = number('StartLimitBurst');
  const interval = span('StartLimitIntervalUSec');
  const watchdog = span('WatchdogUSec');
  const loadError = text('LoadError');
  const lastMainPid = number('ExecMainPID') || null;
  // A reload changes the state, too, and is no start.
  const isUp = ['active', 'reloading'].includes(text('ActiveState') ?? '');
  return {
    scope,
    name,
    loadState: text('LoadState') ?? 'not-found',
    loadError: loadError === null ? null : (/"(.*)"/.exec(loadError)?.[1] ?? loadError),
    path: text('FragmentPath'),
    dropIns: list('DropInPaths'),
    enabled: text('UnitFileState'),
    needsDaemonReload: text('NeedDaemonReload') === 'yes',
    activeState: text('ActiveState') ?? 'inactive',
    subState: text('SubState') ?? 'dead',
    since: (isUp ? readTime(text('ActiveEnterTimestamp')) : null) ?? readTime(text('StateChangeTimestamp')),
    result: text('Result') ?? 'success',
    invocationId: text('InvocationID'),
    mainPid: number('MainPID') || null,
    isFrozen: /^(freezing|frozen)/.test(text('FreezerState') ?? ''),
    lastMain:
      lastMainPid === null ? null : { pid: lastMainPid, startedAt: readTime(text('ExecMainStartTimestamp')) },
    uid: number('UID'),
    user: text('User'),
    dynamicUser: text('DynamicUser') === 'yes',
    statusText: text('StatusText'),
    exit:
      how === null
        ? null
        : { how, status: number('ExecMainStatus') ?? 0, at: readTime(text('ExecMainExitTimestamp')) },
    failedCommand: failedCommandIn(
      shown,
      number('ExecMainCode') === 1 && number('ExecMainStatus') === 0
        ? [...beforeTheEnd, 'ExecStop', 'ExecStopPost']
        : beforeTheEnd,
    ),
    failedReload: failedCommandIn(shown, ['ExecReload']),
    // A unit that was never started, or that systemd has forgotten, has "no", too.
    conditionMet: text('ConditionResult') !== 'no' || readTime(text('ConditionTimestamp')) === null,
    runtimeLimit: text('RuntimeMaxUSec') === 'infinity' ? null : span('RuntimeMaxUSec') || null,
    logNamespace: text('LogNamespace'),
    standardError: text('StandardError'),
    restarts: number('NRestarts') ?? 0,
    restart: text('Restart') ?? 'no',
    awaitsReady: (text('Type') ?? 'notify').startsWith('notify'),
    restartDelay: span('RestartUSec'),
    startTimeout: span('TimeoutStartUSec'),
    startLimit: burst === null || interval === null || interval === 0 ? null : { burst, interval },
    watchdog:
      watchdog === null || watchdog === 0
        ? null
        : { timeout: watchdog, lastPing: readTime(text('WatchdogTimestamp')) },
    memory: {
      current: number('MemoryCurrent'),
      peak: number('MemoryPeak'),
      high: number('MemoryHigh'),
      max: number('MemoryMax'),
    },
    hasJob: (number('Job') ?? 0) > 0,
    triggeredBy: list('TriggeredBy'),
    runtimeDirectory: own('RuntimeDirectory'),
    stateDirectory: own('StateDirectory'),
  };
}

/** "Mon 2026-11-23 16:51:24 UTC", as systemctl writes a time in UTC; null when it is none. */
export function readTime(text: string | null): number | null {
  const match = /(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d+)?) UTC$/.exec(text ?? '');
  return match === null ? null : Date.parse(`${match[1]}T${match[2]}Z`);
}

/** A failed command after the end explains it only if the main process ended cleanly. */
const beforeTheEnd = ['ExecCondition', 'ExecStartPre', 'ExecStartPost'];

/**
 * Finds the command that failed in Exec…= properties as `systemctl show` prints them: "{ path=… ; argv[]=… ; code=exited ;
 * status=1 }", a line each.
 */
function failedCommandIn(
  shown: Readonly<Record<string, string>>,
  directives: readonly string[],
): FailedCommand | null {
  for (const directive of directives) {
    for (const line of (shown[directive] ?? '').split('\n')) {
      const end = / ; ignore_errors=no ;.* ; code=(exited|killed|dumped) ; status=(\d+)/.exec(line);
      const command = / ; argv\[\]=(.*) ; ignore_errors=/.exec(line)?.[1];
      if (end === null || command === undefined || Number(end[2]) === 0) continue;
      return { directive, command, how: end[1] as FailedCommand['how'], status: Number(end[2]) };
    }
  }
  return null;
}
