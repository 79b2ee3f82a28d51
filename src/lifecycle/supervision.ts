import { type Ancestor, type SupervisionEvidence, unitOfCgroup } from '../systemd/evidence.js';

/** The way in which this process came by its evidence of a supervisor. */
export type Origin =
  /** The unit's own main process. */
  | 'unit'
  /** Below a unit's main process, such as `npm start` or a shell. */
  | 'wrapper'
  /** A terminal or a session that merely handed on the environment of the unit it was started from. */
  | 'inherited'
  /** A container's runtime, by configuration. */
  | 'container'
  | 'none';

export interface SupervisionWarning {
  readonly kind: 'wrapper-notifications-dropped' | 'invalid-invocation-id';
  readonly text: string;
}

export interface Supervision {
  /** True if a stop by the supervisor is told apart from a kill. */
  readonly supervised: boolean;
  readonly manager: 'system' | 'user' | 'container' | null;
  readonly origin: Origin;
  /** The process that stands between the manager and this one. */
  readonly wrapper: Ancestor | null;
  readonly unit: string | null;
  readonly invocationId: string | null;
  /** Processes whose SIGTERM is a planned stop. */
  readonly ancestorPids: readonly number[];
  /** True if standard error is the journal's (`$JOURNAL_STREAM`). */
  readonly journal: boolean;
  /** True if it was started on a terminal, whose end is to be the service's. */
  readonly terminal: boolean;
  readonly warnings: readonly SupervisionWarning[];
}

/** An id of sd-id128(3): 128 bits in hexadecimal, not all zero. */
export function isInvocationId(text: string): boolean {
  return /^[0-9a-f]{32}$/i.test(text) && !/^0{32}$/.test(text);
}

function judgeOrigin(
  evidence: SupervisionEvidence,
  hasInvocation: boolean,
  managerPids: readonly number[],
): Origin {
  if (!hasInvocation && evidence.parentPid !== 1) return 'none';
  if (evidence.systemdExecPid === String(evidence.pid)) return 'unit';
  if (managerPids.includes(evidence.parentPid)) return 'unit';
  const { isScope } = unitOfCgroup(evidence.cgroup);
  return isScope || evidence.terminal ? 'inherited' : 'wrapper';
}

/** The manager's process: PID 1, or the user manager that `$MANAGERPID` names when it really is an ancestor. */
function managersAmong(evidence: SupervisionEvidence): number[] {
  const named = Number(evidence.managerPid);
  return evidence.ancestors.some(({ pid }) => pid === named) ? [named, 1] : [1];
}

/**
 * The main process as the manager started it: the last ancestor below the manager. `$SYSTEMD_EXEC_PID` names it
 * since systemd 248.
 */
function mainProcess(evidence: SupervisionEvidence, managerPids: readonly number[]): Ancestor | null {
  const named = evidence.ancestors.find(({ pid }) => String(pid) === evidence.systemdExecPid);
  if (named !== undefined) return named;
  const manager = evidence.ancestors.findIndex(({ pid }) => managerPids.includes(pid));
  return evidence.ancestors[manager - 1] ?? null;
}

/** Judges who supervises this process, by the evidence of the start. */
export function judgeSupervision(
  evidence: SupervisionEvidence,
  configured: 'auto' | 'container',
): Supervision {
  const { invocationId: given } = evidence;
  const invocationId = given !== null && isInvocationId(given) ? given.toLowerCase() : null;
  const managerPids = managersAmong(evidence);
  const { unit, manager } = unitOfCgroup(evidence.cgroup);
  const ancestorPids = evidence.ancestors.map(({ pid }) => pid);
  const journal = evidence.journalStream !== null && evidence.journalStream === evidence.standardError;
  const warnings: SupervisionWarning[] = [];
  if (given !== null && invocationId === null) {
    warnings.push({
      kind: 'invalid-invocation-id',
      text: `INVOCATION_ID is set to ${JSON.stringify(given.slice(0, 64))}, which is no 128-bit id, and was not counted as a sign of systemd. Unset it, or start the gateway as a unit.`,
    });
  }
  const origin = judgeOrigin(evidence, invocationId !== null, managerPids);
  const common = { unit, invocationId, ancestorPids, journal, terminal: evidence.terminal, warnings };
  if (configured === 'container') {
    return { ...common, supervised: true, manager: 'container', origin: 'container', wrapper: null };
  }
  if (origin === 'none') {
    return { ...common, supervised: false, manager: null, origin, wrapper: null };
  }
  const wrapper = origin === 'wrapper' ? mainProcess(evidence, managerPids) : null;
  if (wrapper !== null && evidence.notifySocket !== null) {
    warnings.push({
      kind: 'wrapper-notifications-dropped',
      text: `The unit's main process is ${wrapper.comm === '' ? 'another process' : wrapper.comm} (PID ${wrapper.pid}), not the gateway (PID ${evidence.pid}): with NotifyAccess=main systemd drops the gateway's READY=1 and status, and its watchdog and sockets are for the main process alone. Start the gateway directly in ExecStart=, or put "exec" before it in the shell script.`,
    });
  }
  return { ...common, supervised: true, manager, origin, wrapper };
}

/** True if a supervisor starts the service again after a failure. At a terminal a person does, who is to be told at once. */
export function isStartedAgain({ supervised, origin }: Supervision): boolean {
  return supervised && origin !== 'inherited';
}

const managerNames = {
  system: 'the system manager',
  user: 'the user manager',
  container: 'a container',
} as const;

/** One line that says what was found, for the journal and `status`. */
export function describeSupervision(supervision: Supervision): string {
  const { manager, origin, unit, wrapper, invocationId } = supervision;
  if (!supervision.supervised) return 'not supervised: no INVOCATION_ID, and the parent is not PID 1';
  if (origin === 'container') return 'supervised by a container runtime, by configuration';
  const by = `supervised by ${manager === null ? 'PID 1' : managerNames[manager]}`;
  const place = unit === null ? '' : ` as ${unit}`;
  const invocation = invocationId === null ? '' : `, invocation ${invocationId}`;
  if (origin === 'inherited') {
    return `started by hand in ${unit ?? 'a terminal'}, which handed on its INVOCATION_ID${invocation}`;
  }
  const through = wrapper === null ? '' : ` through ${wrapper.comm} (PID ${wrapper.pid})`;
  return `${by}${place}${through}${invocation}`;
}
