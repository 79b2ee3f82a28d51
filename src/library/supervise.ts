import type { AddressInfo, Server } from 'node:net';
import { describeStop, type Sender } from '../lifecycle/stop-cause.js';
import { SupervisedService } from '../lifecycle/supervise.js';
import type { ServiceReport, StopContext } from '../lifecycle/supervise-options.js';
import type { Supervision } from '../lifecycle/supervision.js';
import type { PartProgress } from '../lifecycle/timeouts.js';
import { ArgumentError, showValue } from '../systemd/arguments.js';
import type { SignalDelivery } from '../systemd/signals.js';
import { dropStaleListeners, type ListenWhere, listen } from './listen.js';
import { printReport } from './report.js';
import { onSignal } from './signals.js';
import { supervision } from './unit.js';

export interface ManagedServiceOptions {
  /** The longest that a stop may take, in milliseconds; the service manager is asked for as much. Default: 45000. */
  readonly stopTimeoutMs?: number;
  /** A SIGTERM from anybody but the supervisor: `fail` exits with 1 (default), `clean` with 0. */
  readonly foreignSigterm?: 'fail' | 'clean';
  /** Told what an operator may want to read of. By default it is written to standard error. Must not throw. */
  readonly report?: (report: ServiceReport) => void;
}

export type StopHandler = (stop: StopContext) => Promise<unknown> | unknown;
export type ReloadHandler = () => Promise<unknown> | unknown;
/** Resolves if the service gets on; rejects, resolves with false or goes on for too long if it doesn't. */
export type ProgressCheck = () => Promise<unknown> | unknown;

/** Signals that a service manager, a shell or a container sends; others stay the program's own. */
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;

/** A check of the service's own, for the watchdog: one at a time. */
class CheckProbe {
  readonly #check: ProgressCheck;
  #pendingSince: number | null = null;
  #isRunning = false;

  constructor(check: ProgressCheck) {
    this.#check = check;
  }

  begin(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    // A check that failed has been pending since before this one.
    this.#pendingSince ??= performance.now();
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      if ((await this.#check()) !== false) this.#pendingSince = null;
    } catch {
      // It stays pending: after half of the watchdog's time that is reported.
    } finally {
      this.#isRunning = false;
    }
  }

  progress(): PartProgress {
    return { name: 'check', pendingSince: this.#pendingSince };
  }
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') {
    throw new ArgumentError(name, `${name} must be a function, not ${showValue(value)}`);
  }
}

/** This process as a service: of systemd, of a container, or started by hand. */
export class ManagedService {
  /** The supervisor of this process. */
  readonly supervision: Supervision;
  readonly #service: SupervisedService;
  readonly #stopHandlers: StopHandler[] = [];
  readonly #reloadHandlers: ReloadHandler[] = [];

  constructor(options: ManagedServiceOptions) {
    const { stopTimeoutMs, foreignSigterm = 'fail' } = options;
    this.supervision = supervision();
    const report = options.report ?? ((told: ServiceReport) => printReport(told, this.supervision.journal));
    this.#service = new SupervisedService({
      supervision: this.supervision,
      stopPolicy: () => ({ foreignSigterm }),
      report: (told) => {
        if (told.type === 'stopping') this.status(`Stopping: ${describeStop(told.stop)}`);
        report(told);
      },
      ...(stopTimeoutMs === undefined ? {} : { stopTimeoutMs: () => stopTimeoutMs }),
    });
    this.#service.onStop(async (stop) => {
      for (const handler of this.#stopHandlers) await handler(stop);
    });
    this.#service.onReload(() => this.#reload());
    process.on('uncaughtException', (error) => this.#service.crash(error));
    process.on('unhandledRejection', (reason) => this.#service.crash(reason));
    onSignal(signals, (delivery) => this.#receive(delivery));
    void this.#service.ended.then((status) => process.exit(status));
  }

  /** The start is over: sends `READY=1`, with a status if there is one (sd_notify(3)). */
  ready(status?: string): void {
    const text = status === undefined ? undefined : statusOf(status);
    dropStaleListeners();
    this.#service.ready(text);
  }

  /** Sends `STATUS=`: one line for people. At most once a second, the newest; a long one is cut. */
  status(text: string): void {
    this.#service.status(statusOf(text));
  }

  /**
   * Calls the handler when the service has to stop, after `STOPPING=1`; several are called one after the other. The
   * manager's timeout is extended meanwhile. Then the process ends, with the exit status of the cause. A handler that
   * rejects, or goes on after the deadline, is a crash.
   */
  onStop(handler: StopHandler): void {
    checkFunction('handler', handler);
    this.#stopHandlers.push(handler);
  }

  /**
   * Calls the handler at SIGHUP (`ExecReload=`, `systemctl reload`), between `RELOADING=1` and `READY=1`. If it
   * rejects, the reason is reported and the old state stays.
   */
  onReload(handler: ReloadHandler): void {
    checkFunction('handler', handler);
    this.#reloadHandlers.push(handler);
  }

  /**
   * Sends `WATCHDOG=1` from now on if the unit has `WatchdogSec=`, while the event loop and the check get on
   * (sd_watchdog_enabled(3)). The check is called at each third of the time.
   */
  watchdog(check: ProgressCheck = () => undefined): void {
    checkFunction('check', check);
    const probe = new CheckProbe(check);
    this.#service.watchdog({ begin: () => probe.begin(), parts: () => [probe.progress()] });
  }

  /** Listens on a socket unit, on a socket kept over a restart, or on a port; see `listen`. */
  listen(server: Server, where: ListenWhere): Promise<AddressInfo | string | null> {
    return listen(server, where);
  }

  /** Stops the service as its supervisor would; `restart` ends with 75, for `RestartForceExitStatus=75`. */
  stop(cause: 'planned-stop' | 'restart' = 'planned-stop'): void {
    const own: Sender = {
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
      comm: 'itself',
      isSupervisor: false,
    };
    this.#service.requestStop(cause, own);
  }

  /** A terminal that hangs up ends what runs in it, as Ctrl-C does. */
  #receive(delivery: SignalDelivery): void {
    const isHangUp =
      delivery.signal === 'SIGHUP' && delivery.code === 'SI_KERNEL' && !this.supervision.supervised;
    this.#service.receive(isHangUp ? { ...delivery, signal: 'SIGINT' } : delivery);
  }

  async #reload(): Promise<void> {
    for (const handler of this.#reloadHandlers) await handler();
  }
}

function statusOf(text: string): string {
  if (typeof text !== 'string') {
    throw new ArgumentError('status', `A status is text, not ${showValue(text)}`);
  }
  return text;
}

let service: ManagedService | null = null;

/**
 * Makes this process a service: takes its signals, with their senders, and exceptions that nobody catches, extends the
 * start timeout while it gets on, and ends the process when it is to stop. Once a process. Throws `ArgumentError` for
 * wrong options, and an Error at a second call.
 */
export async function supervise(options: ManagedServiceOptions = {}): Promise<ManagedService> {
  const { stopTimeoutMs, foreignSigterm, report } = options;
  if (stopTimeoutMs !== undefined && !(Number.isFinite(stopTimeoutMs) && stopTimeoutMs > 0)) {
    throw new ArgumentError(
      'stopTimeoutMs',
      `${showValue(stopTimeoutMs)} ms is not a time that a stop can take`,
    );
  }
  if (foreignSigterm !== undefined && foreignSigterm !== 'fail' && foreignSigterm !== 'clean') {
    throw new ArgumentError(
      'foreignSigterm',
      `foreignSigterm is 'fail' or 'clean', not ${showValue(foreignSigterm)}`,
    );
  }
  if (report !== undefined) checkFunction('report', report);
  if (service !== null)
    throw new Error('supervise() was called before: a process is one service, which that call gave');
  service = new ManagedService(options);
  return service;
}
