import { booted, readSupervisionEvidence } from '../systemd/evidence.js';
import { type SignalDelivery, watchedSignals, watchSignals } from '../systemd/signals.js';
import { watchdogEnabled } from '../systemd/watchdog.js';
import { errorMessage } from '../text/failure-text.js';
import { Notifier, TimeoutExtender } from './effects/notifier.js';
import { SupervisorWait } from './effects/supervisor-wait.js';
import { WatchdogFeeder } from './effects/watchdog-feeder.js';
import {
  initialState,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleState,
  transition,
} from './state.js';
import {
  type ExitStatus,
  judgeSignal,
  mayBecomePlanned,
  type Sender,
  type StopAsker,
  type StopRequest,
  stopByJob,
  stopRequest,
} from './stop-cause.js';
import type {
  ReportService,
  StartFailure,
  StopContext,
  SuperviseOptions,
  WatchdogCheck,
} from './supervise-options.js';
import { judgeSupervision } from './supervision.js';
import { barrierTimeoutMs, closingTimeMs, type PartProgress, stopStallMs } from './timeouts.js';

const defaultDrainTimeoutMs = 30_000;

/** The longest that setTimeout and setInterval of Node.js take, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * A service as its manager sees it, from the start to the exit: notifies it (sd_notify(3)), extends its timeouts, feeds
 * its watchdog, and takes orders to stop and to reload. The one owner of the lifecycle's state: takes in what happens as
 * events, and performs the effects that src/lifecycle/state.ts answers with. Knows nothing of what the service does.
 */
export class SupervisedService {
  readonly notifier: Notifier;
  /** Resolves with the exit status once all is done; the caller ends the process. */
  readonly ended: Promise<ExitStatus>;
  readonly #options: SuperviseOptions;
  readonly #report: ReportService;
  readonly #extender: TimeoutExtender;
  readonly #cancelStart = new AbortController();
  readonly #deadline = new AbortController();
  readonly #startedAt = performance.now();
  /** Keeps an event loop alive that has nothing left to wait for. Only the exit ends the process. */
  readonly #alive = setInterval(() => undefined, longestTimerMs);
  #exit: (status: ExitStatus) => void = () => undefined;
  #state: LifecycleState = initialState;
  #statusText = '';
  #readyAt: number | null = null;
  /** The reload that ends now; its report comes before that of the end. */
  #reloadFailed = false;
  #stoppingAt: number | null = null;
  #failure: string | null = null;
  #watchdog: WatchdogFeeder | null = null;
  #overdue: NodeJS.Timeout | undefined;
  /** Behind a kill. */
  #supervisorWait: SupervisorWait | null = null;
  /** The stop that is asked for; null until then, and again once its handler is called. */
  #pendingStop: StopContext | null = null;
  #stopHandler: (stop: StopContext) => Promise<void> | void = () => undefined;
  #closeHandler: (stop: StopRequest) => Promise<void> | void = () => undefined;
  #reloadHandler: () => Promise<void> | void = () => undefined;

  constructor(options: SuperviseOptions) {
    this.#options = options;
    this.#report = options.report ?? (() => undefined);
    this.notifier = new Notifier(this.#report);
    this.#extender = new TimeoutExtender(this.#report);
    this.ended = new Promise((resolve) => {
      this.#exit = resolve;
    });
    this.#extender.whileStarting();
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /** The stop; null until one is asked for, the start fails or the service crashes. */
  get stop(): StopRequest | null {
    return 'stop' in this.#state ? this.#state.stop : null;
  }

  /** True if the service is ready, also while it reloads. */
  get serves(): boolean {
    return this.#state.name === 'ready' || this.#state.name === 'reloading';
  }

  /** By `performance.now()`; null until the service is ready for the first time. */
  get readyAt(): number | null {
    return this.#readyAt;
  }

  /** By `performance.now()`; null until a stop is asked for. */
  get stoppingAt(): number | null {
    return this.#stoppingAt;
  }

  /** Resolves when the cause of the stop can't change any more, a moment after a kill at the latest. */
  get causeIsFinal(): Promise<void> {
    return this.#supervisorWait?.over ?? Promise.resolve();
  }

  /** Why the start failed or the service crashed; null if neither did. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Aborted when a stop is asked for before the service is ready. */
  get startSignal(): AbortSignal {
    return this.#cancelStart.signal;
  }

  /** Parts for which the watchdog is not fed. */
  get stalled(): readonly string[] {
    return this.#watchdog?.stalled ?? [];
  }

  /** Since the last `WATCHDOG=1`, in milliseconds; null if there was none. */
  get sinceLastPing(): number | null {
    return this.#watchdog?.sinceLastPing ?? null;
  }

  /** The progress of the parts that the watchdog stands for; null without a watchdog. */
  get progress(): readonly PartProgress[] | null {
    return this.#watchdog?.progress() ?? null;
  }

  /** Called when a stop is asked for: to end the work. The process ends after it, by the stop's exit status. */
  onStop(handler: (stop: StopContext) => Promise<void> | void): void {
    this.#stopHandler = handler;
  }

  /** Called after `onStop`, and after a failed start: to close what is open. A crash closes nothing. */
  onClose(handler: (stop: StopRequest) => Promise<void> | void): void {
    this.#closeHandler = handler;
  }

  /** Called between `RELOADING=1` and `READY=1`. If it rejects, the old state stays, and its reason is reported. */
  onReload(handler: () => Promise<void> | void): void {
    this.#reloadHandler = handler;
  }

  /** The start is over: sends `READY=1`. */
  ready(status?: string): void {
    if (status !== undefined) this.#statusText = status;
    this.#dispatch({ type: 'started' });
  }

  /** The start has failed: reports why, closes and ends. */
  startFailed(failure: StartFailure): void {
    this.#dispatch({ type: 'start-failed', ...failure });
  }

  /** Sends `STATUS=`: at most once a second, the newest. */
  status(text: string): void {
    this.#statusText = text;
    this.notifier.status(text);
  }

  /** Feeds the watchdog from now on if the manager has one for this process, while the event loop and all parts get on. */
  watchdog(check: WatchdogCheck): void {
    const watchdog = watchdogEnabled();
    if (!watchdog.enabled) return;
    this.#watchdog?.close();
    this.#watchdog = new WatchdogFeeder({
      microseconds: watchdog.microseconds,
      notifier: this.notifier,
      report: this.#report,
      begin: () => check.begin(),
      parts: () => check.parts(),
      blockedLoopEntry: this.#options.blockedLoopEntry,
    });
  }

  /** Takes in a signal with its sender. */
  receive(delivery: SignalDelivery): void {
    const { supervision, stopPolicy } = this.#options;
    const stopping = this.#state.name === 'stopping' ? this.#state.stop : null;
    const verdict = judgeSignal(
      delivery,
      supervision,
      stopPolicy?.() ?? { foreignSigterm: 'fail' },
      stopping,
    );
    switch (verdict.kind) {
      case 'reload':
        this.requestReload(verdict.sender, true);
        break;
      case 'stop':
        this.#dispatch({ type: 'stop-requested', stop: verdict.stop });
        break;
      case 'end-at-once':
        this.#dispatch({ type: 'end-at-once', stop: verdict.stop });
        break;
      case 'none':
        break;
    }
  }

  /** Stops as if asked to by somebody entitled, by other means than a signal. */
  requestStop(cause: 'planned-stop' | 'restart', sender: Sender, by: StopAsker = 'control-socket'): void {
    this.#dispatch({ type: 'stop-requested', stop: stopRequest(cause, by, sender) });
  }

  requestReload(sender: Sender, isSignal = false): void {
    // A stop goes on without: it has its own record.
    if (this.stop === null) this.#report({ type: 'reload-requested', sender, isSignal });
    this.#dispatch({ type: 'reload-requested' });
  }

  /** Takes in an exception that nobody caught: the process can't be trusted any more, and ends at once. */
  crash(error: unknown): void {
    const reason = errorMessage(error);
    this.#report({ type: 'crashed', error, reason });
    this.#dispatch({ type: 'crashed', reason });
  }

  #dispatch(event: LifecycleEvent): void {
    const { state, effects } = transition(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LifecycleEffect): void {
    switch (effect.type) {
      case 'announce-ready':
        this.#announceReady();
        break;
      case 'announce-reloading':
        this.notifier.send({ reloading: true, ...this.#statusField() });
        break;
      case 'announce-reload-refused':
        this.#reloadFailed = true;
        this.#report({ type: 'reload-refused', reason: effect.reason });
        break;
      case 'announce-stopping':
        this.#announceStopping(effect.stop);
        break;
      case 'announce-failure':
        this.#failure = effect.reason;
        this.notifier.send({
          status: this.#options.statusText?.() ?? effect.reason,
          ...(effect.errno === null ? {} : { errno: effect.errno }),
        });
        break;
      case 'note-planned-stop':
        this.#supervisorWait?.end();
        this.#report({ type: 'stop-planned', stop: effect.stop });
        break;
      case 'note-further-stop':
        this.#report({ type: 'further-stop', stop: effect.stop });
        break;
      case 'begin-reload':
        this.#reload();
        break;
      case 'cancel-start':
        this.#cancelStart.abort();
        break;
      case 'begin-drain':
        this.#run(this.#drain());
        break;
      case 'close':
        this.#run(this.#close());
        break;
      case 'exit':
        this.#run(this.#leave(effect.exitStatus, effect.atOnce));
        break;
    }
  }

  /** An effect that goes on: an exception of it is a crash like any other. */
  #run(promise: Promise<void>): void {
    promise.catch((error: unknown) => this.crash(error));
  }

  #statusField(): { readonly status?: string } {
    const status = this.#options.statusText?.() ?? this.#statusText;
    return status === '' ? {} : { status };
  }

  #announceReady(): void {
    this.#extender.end();
    const first = this.#readyAt === null;
    this.#readyAt ??= performance.now();
    this.notifier.send({ ready: true, ...this.#statusField() });
    const afterMs = this.#readyAt - this.#startedAt;
    this.#report({ type: 'ready', first, failed: this.#reloadFailed, afterMs });
    this.#reloadFailed = false;
  }

  #announceStopping(stop: StopRequest): void {
    const now = performance.now();
    this.#stoppingAt = now;
    const timeoutMs = this.#options.stopTimeoutMs?.() ?? defaultDrainTimeoutMs + closingTimeMs;
    this.notifier.send({ stopping: true, ...this.#statusField() });
    // Before the manager's own timeout can end, whatever the unit file says.
    if (this.#options.isStopBoundToProgress) this.#extender.whileTurning(stopStallMs);
    else this.#extender.whileStopping(timeoutMs);
    // Before the extended timeout ends: a stop that hangs is to say so itself.
    this.#overdue = setTimeout(() => this.#endHangingStop(timeoutMs), Math.min(timeoutMs, longestTimerMs));
    this.#pendingStop = {
      cause: stop.cause,
      sender: stop.sender,
      deadline: now + timeoutMs,
      signal: this.#deadline.signal,
    };
    if (mayBecomePlanned(stop)) {
      this.#supervisorWait = new SupervisorWait(this.#options.isStoppedByManager, () =>
        this.#dispatch({ type: 'stop-requested', stop: stopByJob }),
      );
    }
    this.#report({ type: 'stopping', stop });
  }

  #endHangingStop(timeoutMs: number): void {
    this.#deadline.abort();
    const { status } = this.#statusField();
    this.crash(new Error(`the stop did not end within ${timeoutMs} ms: ${status ?? 'no status'}`));
  }

  /** A handler that returns no promise is done at once, so that whoever has asked for the reload sees its end. */
  #reload(): void {
    const refuse = (error: unknown) =>
      this.#dispatch({ type: 'reload-refused', reason: errorMessage(error) });
    let reloading: Promise<void> | void;
    try {
      reloading = this.#reloadHandler();
    } catch (error) {
      refuse(error);
      return;
    }
    if (reloading instanceof Promise) {
      this.#run(reloading.then(() => this.#dispatch({ type: 'reload-done' }), refuse));
    } else {
      this.#dispatch({ type: 'reload-done' });
    }
  }

  async #drain(): Promise<void> {
    await this.#callStopHandler();
    const drainedAt = performance.now();
    await this.causeIsFinal;
    if (this.stop !== null && mayBecomePlanned(this.stop)) await this.#supervisorWait?.lookAgain(drainedAt);
    this.#dispatch({ type: 'drain-finished' });
  }

  async #callStopHandler(): Promise<void> {
    const stop = this.#pendingStop;
    this.#pendingStop = null;
    if (stop !== null) await this.#stopHandler(stop);
  }

  async #close(): Promise<void> {
    // Before the service is ready there is no drain: the stop is told now.
    await this.#callStopHandler();
    if (this.#state.name === 'stopping') await this.#closeHandler(this.#state.stop);
    this.#dispatch({ type: 'closed' });
  }

  async #leave(status: ExitStatus, atOnce: boolean): Promise<void> {
    this.#watchdog?.close();
    try {
      this.#report({ type: 'stopped', atOnce });
      const field = this.#statusField();
      if (!atOnce && field.status !== undefined) this.notifier.send(field);
      if (!atOnce) await this.notifier.barrier(barrierTimeoutMs);
    } finally {
      // Whatever fails here, the process has to end.
      this.#extender.end();
      this.notifier.close();
      clearInterval(this.#alive);
      clearTimeout(this.#overdue);
      this.#exit(status);
    }
  }
}

/** Supervises this process from now on, with its signals and uncaught exceptions. Finds the supervisor if none is given. */
export function supervise(options: Partial<SuperviseOptions> = {}): SupervisedService {
  const supervision =
    options.supervision ?? judgeSupervision(readSupervisionEvidence(process.env, booted()), 'auto');
  const service = new SupervisedService({ ...options, supervision });
  process.on('uncaughtException', (error) => service.crash(error));
  process.on('unhandledRejection', (reason) => service.crash(reason));
  watchSignals(watchedSignals, (delivery) => service.receive(delivery));
  return service;
}
