import type { AddressInfo, Server } from 'node:net';
import { describeStop, type Sender } from '../lifecycle/stop-cause.js';
import { SupervisedService } from '../lifecycle/supervise.js';
import type { ReportService, ServiceReport, StopContext } from '../lifecycle/supervise-options.js';
import type { Supervision } from '../lifecycle/supervision.js';
import type { PartProgress } from '../lifecycle/timeouts.js';
import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import { journalFlush } from '../systemd/journal.js';
import type { SignalDelivery } from '../systemd/signals.js';
import { errorMessage } from '../text/failure-text.js';
import { dropStaleListeners, type ListenWhere, listen } from './listen.js';
import { checkFunction } from './read-arguments.js';
import { printError, printReport } from './report.js';
import { onSignal } from './signals.js';
import { supervision } from './unit.js';

export interface ManagedServiceOptions {
  /** The longest that a stop may take, in milliseconds; the service manager is asked for as much. Default: 45000. */
  readonly stopTimeoutMs?: number;
  /** A SIGTERM from anybody but the supervisor: `fail` exits with 1 (default), `clean` with 0. */
  readonly foreignSigterm?: 'fail' | 'clean';
  /** Told what an operator may want to read of. By default, and where it throws, that is written to standard error. */
  readonly report?: (report: ServiceReport) => void;
}

export type StopHandler = (stop: StopContext) => Promise<unknown> | unknown;
export type ReloadHandler = () => Promise<unknown> | unknown;
/** Resolves if the service gets on; rejects, resolves with false or goes on for too long if it doesn't. */
export type ProgressCheck = () => Promise<unknown> | unknown;

/** The longest wait for the journal at the end, in milliseconds. */
const longestFlushMs = 1_000;

/** Signals that a service manager, a shell or a container sends; others stay the program's own. */
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGCONT'] as const;

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

/**
 * This process as a service: of systemd, of a container, or started by hand.
 *
 * @see systemd.service(5)
 */
export class ManagedService {
  /** The supervisor of this process. */
  readonly supervision: Supervision;
  readonly #service: SupervisedService;
  readonly #stopHandlers: StopHandler[] = [];
  readonly #reloadHandlers: ReloadHandler[] = [];

  constructor(options: ManagedServiceOptions) {
    const { stopTimeoutMs, foreignSigterm = 'fail' } = options;
    this.supervision = supervision();
    const print = (told: ServiceReport): void => printReport(told, this.supervision.journal);
    const report = options.report === undefined ? print : orElse(options.report, print);
    this.#service = new SupervisedService({
      supervision: this.supervision,
      isStopBoundToProgress: true,
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
    void this.#service.ended.then((status) => {
      // A busy journald may not have taken all yet.
      journalFlush(longestFlushMs);
      process.exit(status);
    });
  }

  /**
   * The start is over: sends `READY=1`, with a status if there is one.
   *
   * @param status one line for people
   * @throws {@link ArgumentError} for a status that isn't text
   * @see sd_notify(3)
   */
  ready(status?: string): void {
    const text = status === undefined ? undefined : statusOf(status);
    dropStaleListeners();
    this.#service.ready(text);
  }

  /**
   * Sends `STATUS=`: at most once a second, the newest; a long one is cut.
   *
   * @param text one line for people
   * @throws {@link ArgumentError} for what isn't text
   * @see sd_notify(3)
   */
  status(text: string): void {
    this.#service.status(statusOf(text));
  }

  /**
   * Calls the handler when the service has to stop, after `STOPPING=1`; several are called one after the other. The
   * manager's timeout is extended while the event loop turns. Then the process ends, with the exit status of the cause. A handler that
   * rejects, or goes on after the deadline, is a crash.
   *
   * @param handler told the cause, the sender, the deadline in milliseconds by `performance.now()`, and a signal that is
   *   aborted then
   * @throws {@link ArgumentError} for what isn't a function
   * @see sd_notify(3), `STOPPING=1`, `EXTEND_TIMEOUT_USEC=`; systemd.service(5), `TimeoutStopSec=`
   */
  onStop(handler: StopHandler): void {
    checkFunction('handler', handler);
    this.#stopHandlers.push(handler);
  }

  /**
   * Calls the handler at SIGHUP (`ExecReload=`, `systemctl reload`), between `RELOADING=1` and `READY=1`. If it
   * rejects, the reason is reported and the old state stays.
   *
   * @param handler several are called one after the other
   * @throws {@link ArgumentError} for what isn't a function
   * @see sd_notify(3), `RELOADING=1`; systemd.service(5), `ExecReload=`
   */
  onReload(handler: ReloadHandler): void {
    checkFunction('handler', handler);
    this.#reloadHandlers.push(handler);
  }

  /**
   * Sends `WATCHDOG=1` from now on if the unit has `WatchdogSec=`, while the event loop and the check get on.
   *
   * @param check called at each third of the time; by default nothing but the event loop is watched
   * @throws {@link ArgumentError} for what isn't a function; `SystemCallError` if `WATCHDOG_USEC` is malformed
   * @see sd_watchdog_enabled(3); systemd.service(5), `WatchdogSec=`
   */
  watchdog(check: ProgressCheck = () => undefined): void {
    checkFunction('check', check);
    const probe = new CheckProbe(check);
    this.#service.watchdog({ begin: () => probe.begin(), parts: () => [probe.progress()] });
  }

  /**
   * Listens on a socket unit, on a socket kept over a restart, or on a port.
   *
   * @param server as `listen` has it
   * @param where as `listen` has it
   * @throws what `listen` does
   * @see systemd.socket(5), sd_listen_fds_with_names(3)
   */
  listen(server: Server, where: ListenWhere): Promise<AddressInfo | string | null> {
    return listen(server, where);
  }

  /**
   * Stops the service as its supervisor would.
   *
   * @param cause `restart` ends with 75, for `RestartForceExitStatus=75`
   * @throws {@link ArgumentError} for another cause
   * @see systemd.service(5), `RestartForceExitStatus=`
   */
  stop(cause: 'planned-stop' | 'restart' = 'planned-stop'): void {
    if (cause !== 'planned-stop' && cause !== 'restart') {
      throw new ArgumentError('cause', `A cause is 'planned-stop' or 'restart', not ${showValue(cause)}`);
    }
    const own: Sender = {
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
      comm: 'itself',
      isSupervisor: false,
    };
    this.#service.requestStop(cause, own, 'gateway');
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

/** The caller's report, which can't end the service: where it throws, what it was told is printed. */
function orElse(report: ReportService, print: ReportService): ReportService {
  return (told) => {
    try {
      report(told);
    } catch (error) {
      printError(`The report function of supervise() threw: ${errorMessage(error)}`);
      print(told);
    }
  };
}

function statusOf(text: string): string {
  if (typeof text !== 'string') {
    throw new ArgumentError('status', `A status is text, not ${showValue(text)}`);
  }
  return text;
}
