import type { SignalDelivery, WatchedSignal } from '../systemd/signals.js';
import type { Supervision } from './supervision.js';

/** The gateway's exit statuses; 75 and 78 are those of sysexits.h, which systemd.exec(5) names too. */
export const exitStatus = {
  /** A planned stop. */
  success: 0,
  /** A crash, a failed start, a kill by somebody else. */
  failure: 1,
  /** EX_TEMPFAIL: a restart was asked for; the unit has `RestartForceExitStatus=75`. */
  restart: 75,
  /** EX_CONFIG: the configuration can't be used; the unit has `RestartPreventExitStatus=78`. */
  configuration: 78,
  /** 128 + SIGINT: the person at the keyboard insisted. */
  interrupted: 130,
} as const;

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** The reason why the gateway ends; each stop has exactly one. */
export type StopCause =
  /** The supervisor, or somebody entitled through the control socket, asked for it. */
  | 'planned-stop'
  /** Supervised, and a SIGTERM from somebody who is not the supervisor. */
  | 'foreign-kill'
  /** Supervised, and a terminating signal other than SIGTERM. */
  | 'killed-by-signal'
  /** Not supervised, and a terminating signal from another process. */
  | 'unexpected-kill'
  /** The person at the keyboard, or the end of their terminal. */
  | 'keyboard'
  | 'restart'
  /** The configuration, or what it points to, can't be used. */
  | 'refused'
  /** Something that the start needs is missing outside of the service, such as its address or room on a disk. */
  | 'unavailable'
  | 'crash';

export interface Sender {
  readonly pid: number;
  readonly uid: number;
  /** The name in /proc/PID/comm; null if the process ended before it could be read. */
  readonly comm: string | null;
  readonly isSupervisor: boolean;
  /** Set if it gave these numbers itself (rt_sigqueueinfo(2)), so that they prove nothing. */
  readonly isUnproven?: true;
}

/** Asks for a stop by other means than a signal; `gateway`: the service itself. */
export type StopAsker = 'control-socket' | 'gateway';

/** A stop that was asked for or has become necessary: its cause, who asked, and the exit status. */
export interface StopRequest {
  readonly cause: StopCause;
  readonly exitStatus: ExitStatus;
  readonly signal: WatchedSignal | null;
  readonly sender: Sender | null;
  /** `manager`: the service manager says by its job that it stops the unit. */
  readonly requestedBy: 'signal' | 'control-socket' | 'gateway' | 'manager';
  /** The kill that had begun this stop before the supervisor asked for it. */
  readonly after?: StopRequest;
}

export interface StopPolicy {
  /** `stop.foreign_sigterm`. */
  readonly foreignSigterm: 'fail' | 'clean';
}

export type SignalVerdict =
  | { readonly kind: 'reload'; readonly sender: Sender }
  | { readonly kind: 'stop'; readonly stop: StopRequest }
  /** The second interrupt of the person at the keyboard. */
  | { readonly kind: 'end-at-once'; readonly stop: StopRequest }
  /** Changes nothing. */
  | { readonly kind: 'none' };

/**
 * "Supervisor": an ancestor of this process, or a process outside its PID namespace, which the kernel shows as
 * `si_pid` 0. Only of kill(2) and tgkill(2) does the kernel itself vouch for the sender: with SI_QUEUE the sender
 * writes its own number (rt_sigqueueinfo(2)), and other codes show 0 for want of one.
 */
export function isSupervisor(delivery: SignalDelivery, supervision: Supervision): boolean {
  if (delivery.code !== 'SI_USER' && delivery.code !== 'SI_TKILL') return false;
  return delivery.senderPid === 0 || supervision.ancestorPids.includes(delivery.senderPid);
}

/** True for Ctrl-C, and for the end of the terminal that the process was started on. */
function isFromTerminal({ signal, code }: SignalDelivery, supervision: Supervision): boolean {
  if (code !== 'SI_KERNEL') return false;
  // A terminal that merely handed on its unit's INVOCATION_ID is still a terminal to the person at it. A service
  // has no terminal that could raise these signals.
  if (supervision.supervised && supervision.origin !== 'inherited') return false;
  // nohup(1) leaves no terminal on standard input and standard error: the process is to outlive it.
  return signal === 'SIGINT' || (signal === 'SIGHUP' && supervision.terminal);
}

function causeOf(delivery: SignalDelivery, supervision: Supervision, fromSupervisor: boolean): StopCause {
  if (isFromTerminal(delivery, supervision)) return 'keyboard';
  if (!supervision.supervised) return 'unexpected-kill';
  if (delivery.signal !== 'SIGTERM') return 'killed-by-signal';
  return fromSupervisor ? 'planned-stop' : 'foreign-kill';
}

/** Returns the exit status that a cause leads to. */
export function exitStatusOf(cause: StopCause, policy: StopPolicy): ExitStatus {
  switch (cause) {
    case 'planned-stop':
    case 'keyboard':
      return exitStatus.success;
    case 'foreign-kill':
      return policy.foreignSigterm === 'clean' ? exitStatus.success : exitStatus.failure;
    case 'restart':
      return exitStatus.restart;
    case 'refused':
      return exitStatus.configuration;
    case 'killed-by-signal':
    case 'unexpected-kill':
    case 'unavailable':
    case 'crash':
      return exitStatus.failure;
  }
}

/**
 * Judges a signal with its sender (README, "Who stopped it").
 * @param stopping the stop that is under way already
 */
export function judgeSignal(
  delivery: SignalDelivery,
  supervision: Supervision,
  policy: StopPolicy,
  stopping: StopRequest | null,
): SignalVerdict {
  const fromSupervisor = isSupervisor(delivery, supervision);
  const sender: Sender = {
    pid: delivery.senderPid,
    uid: delivery.senderUid,
    comm: delivery.senderComm,
    isSupervisor: fromSupervisor,
    ...(delivery.code === 'SI_QUEUE' ? { isUnproven: true } : {}),
  };
  if (delivery.signal === 'SIGHUP' && !isFromTerminal(delivery, supervision)) {
    return { kind: 'reload', sender };
  }
  if (delivery.signal === 'SIGCONT') {
    // The manager sends it behind the SIGTERM of a stop (systemd.kill(5)). While another SIGTERM is pending, the kernel
    // drops the manager's own (signal(7)), and this is all that comes of it.
    const follows = fromSupervisor && stopping !== null && mayBecomePlanned(stopping);
    return follows ? { kind: 'stop', stop: plannedStop('signal', 'SIGTERM', sender) } : { kind: 'none' };
  }
  const cause = causeOf(delivery, supervision, fromSupervisor);
  const stop: StopRequest = {
    cause,
    exitStatus: exitStatusOf(cause, policy),
    signal: delivery.signal,
    sender,
    requestedBy: 'signal',
  };
  // The end of a terminal may come twice, and nobody insists by it.
  if (cause === 'keyboard' && delivery.signal === 'SIGINT' && stopping !== null) {
    return { kind: 'end-at-once', stop: { ...stop, exitStatus: exitStatus.interrupted } };
  }
  return { kind: 'stop', stop };
}

/** A stop asked for by other means than a signal. */
export function stopRequest(
  cause: 'planned-stop' | 'restart' | 'refused' | 'unavailable' | 'crash',
  requestedBy: StopAsker,
  sender: Sender | null,
): StopRequest {
  return {
    cause,
    // None of these causes depends on the policy.
    exitStatus: exitStatusOf(cause, { foreignSigterm: 'fail' }),
    signal: null,
    sender,
    requestedBy,
  };
}

function plannedStop(
  requestedBy: StopRequest['requestedBy'],
  signal: WatchedSignal | null,
  sender: Sender | null,
): StopRequest {
  return { cause: 'planned-stop', exitStatus: exitStatus.success, signal, sender, requestedBy };
}

/** The stop of the unit that the service manager has under way, whoever's signal came first. */
export const stopByJob: StopRequest = plannedStop('manager', null, null);

/** True if the service manager itself stops the unit. */
export function isByManager({ cause, sender, requestedBy }: StopRequest): boolean {
  return cause === 'planned-stop' && (requestedBy === 'manager' || sender?.isSupervisor === true);
}

/** True if the supervisor may be about to ask for the same stop: `ExecStop=/bin/kill -TERM $MAINPID` kills first. */
export function mayBecomePlanned({ cause }: StopRequest): boolean {
  return cause === 'foreign-kill' || cause === 'killed-by-signal';
}

/** The stop that goes on when a further one is asked for: the first, unless the supervisor asks after a kill. */
export function joinStops(first: StopRequest, further: StopRequest): StopRequest {
  return isByManager(further) && mayBecomePlanned(first) ? { ...further, after: first } : first;
}

/** The sender in the words of an operator. */
export function describeSender(sender: Sender): string {
  if (sender.pid === 0) return 'a process outside this PID namespace';
  const name = sender.comm === null ? 'a process that has ended' : sender.comm;
  const numbers = `${name} (PID ${sender.pid}, UID ${sender.uid})`;
  return sender.isUnproven === true ? `an unproven sender, which calls itself ${numbers}` : numbers;
}

function describeKill({ signal, sender }: StopRequest): string {
  return sender === null ? String(signal) : `${signal} by ${describeSender(sender)}`;
}

/** The stop in the words of an operator: cause, signal and sender. */
export function describeStop(stop: StopRequest): string {
  const manager = stop.requestedBy === 'manager' ? ' by the service manager' : '';
  const by = stop.sender === null ? manager : ` by ${describeSender(stop.sender)}`;
  switch (stop.cause) {
    case 'planned-stop':
      return stop.requestedBy === 'control-socket'
        ? `stop asked for through the control socket${by}`
        : `planned stop${by}${stop.after === undefined ? '' : `, after ${describeKill(stop.after)}`}`;
    case 'foreign-kill':
      return `foreign kill: ${describeKill(stop)}${stop.sender?.isUnproven === true ? '' : ', which is not the supervisor'}`;
    case 'killed-by-signal':
      return `killed by ${describeKill(stop)}`;
    case 'unexpected-kill':
      return `unexpected ${describeKill(stop)}`;
    case 'keyboard':
      return stop.signal === 'SIGHUP' ? 'end of the terminal' : 'stop from the keyboard';
    case 'restart':
      return stop.requestedBy === 'control-socket'
        ? `restart asked for through the control socket${by}`
        : `restart asked for${by}`;
    case 'refused':
      return 'unusable configuration';
    case 'unavailable':
      return 'start given up, as what it needs is not there';
    case 'crash':
      return 'crash';
  }
}

/** A job of the service manager (org.freedesktop.systemd1(5), ListJobs). */
export interface ManagerJob {
  readonly unit: string;
  /** "start", "stop", "restart", … */
  readonly type: string;
  /** False while it waits for another. */
  readonly isRunning: boolean;
}

/** The job of the service manager that stops the gateway's unit. */
export interface StopJob {
  readonly type: string;
  /** The end of the whole system or session that the manager is about; null if there is none. */
  readonly shutdown: 'poweroff' | 'reboot' | 'halt' | 'kexec' | 'exit' | 'soft-reboot' | 'shutdown' | null;
  /** The unit whose job drew this one along; null if it was asked for itself, or the way isn't known. */
  readonly because: { readonly unit: string; readonly job: string; readonly dependency: string } | null;
}

/** Names of units by the dependency that the gateway's unit has on them, such as `PartOf`. */
export type Dependencies = Readonly<Record<string, readonly string[]>>;

/** Dependencies by which a stop or a restart of another unit stops this one (systemd.unit(5)). */
export const stopDependencies = ['PartOf', 'BindsTo', 'Requires', 'Requisite'] as const;

/** Dependencies by which a start of another unit stops this one. */
export const conflictDependencies = ['Conflicts', 'ConflictedBy'] as const;

/** Targets whose start ends everything; the more telling ones first (systemd.special(7)). */
const shutdowns = ['reboot', 'poweroff', 'halt', 'kexec', 'soft-reboot', 'exit', 'shutdown'] as const;

function shutdownOf(jobs: readonly ManagerJob[]): StopJob['shutdown'] {
  const starting = new Set(jobs.filter(({ type }) => type === 'start').map(({ unit }) => unit));
  return shutdowns.find((name) => starting.has(`${name}.target`)) ?? null;
}

/** True if other jobs may have drawn the unit's own along. Only then its dependencies are worth asking for. */
export function mayBeDrawnAlong(unit: string, jobs: readonly ManagerJob[]): boolean {
  return shutdownOf(jobs) === null && jobs.some((job) => job.unit !== unit);
}

function stops({ type }: ManagerJob): boolean {
  return type === 'stop' || type === 'restart';
}

/** True if one of the jobs stops the unit right now. */
export function isBeingStopped(unit: string, jobs: readonly ManagerJob[]): boolean {
  return jobs.some((job) => job.unit === unit && job.isRunning && stops(job));
}

/** True if one of the jobs starts the unit: it is not ready yet. */
export function isBeingStarted(unit: string, jobs: readonly ManagerJob[]): boolean {
  return jobs.some((job) => job.unit === unit && job.type === 'start');
}

/** Finds what stops the unit among the manager's jobs at that time; null if none of them does. */
export function explainStopJob(
  unit: string,
  jobs: readonly ManagerJob[],
  dependencies: Dependencies,
): StopJob | null {
  // A start or a reload that is under way is also a job of the unit, but stops nothing.
  const own = jobs.find((job) => job.unit === unit && stops(job));
  const shutdown = shutdownOf(jobs);
  if (own === undefined) return null;
  const others = shutdown === null ? jobs.filter((job) => job.unit !== unit) : [];
  for (const { unit: other, type } of others) {
    const names: readonly string[] = type === 'start' ? conflictDependencies : stopDependencies;
    const dependency = names.find((name) => dependencies[name]?.includes(other) === true);
    if (dependency !== undefined) {
      return { type: own.type, shutdown, because: { unit: other, job: type, dependency } };
    }
  }
  return { type: own.type, shutdown, because: null };
}

/**
 * Says why the manager stops the unit without a job, by its `Result=` (systemd.service(5)): a limit of its own, such as
 * `RuntimeMaxSec=`, has set that by then.
 */
export function describeNoJob(result: string, isStarting: boolean): string {
  const who = result === 'success' ? 'systemctl kill' : `systemd’s own doing, Result=${result}`;
  return `no job: ${who}${isStarting ? ', during the start' : ''}`;
}

/** The job in the words of an operator. */
export function describeStopJob({ type, shutdown, because }: StopJob): string {
  if (shutdown !== null) return `${type} job, because of the manager’s ${shutdown}`;
  if (because === null) return `${type} job`;
  return `${type} job, drawn along by the ${because.job} of ${because.unit} (${because.dependency}=)`;
}
