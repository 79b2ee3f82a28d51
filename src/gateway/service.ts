import { homedir } from 'node:os';
import { longestKillDelay } from '../config/agent-table.js';
import { directories, scopeOfUser } from '../config/directories.js';
import type { LoadedConfiguration } from '../config/load.js';
import type { Configuration } from '../config/schema.js';
import { longestStoreWait } from '../config/store-table.js';
import { collectGarbageAtRest } from '../lifecycle/effects/idle-heap.js';
import { type SupervisedService, supervise } from '../lifecycle/supervise.js';
import type { ServiceReport } from '../lifecycle/supervise-options.js';
import { isStartedAgain, type Supervision } from '../lifecycle/supervision.js';
import { longestStop } from '../lifecycle/timeouts.js';
import { closeMemoryToOthers } from '../linux/process.js';
import type { AdjustableLog } from '../log/create-log.js';
import { messageIds } from '../log/fields.js';
import { systemctlEnvironment } from '../manager/service-manager.js';
import { storeName } from '../store/create-store.js';
import { reportProgress } from '../systemd/timeout-extension.js';
import { errorMessage } from '../text/failure-text.js';
import { CloseStack } from './close-stack.js';
import type { GatewayEvents } from './events.js';
import { GatewayMetrics } from './metrics/gateway-metrics.js';
import { openMetricsSocket } from './metrics/metrics-socket.js';
import { GatewayReports } from './reports.js';
import { openRuntime, type Runtime } from './runtime.js';
import { failedStart } from './start/failed-start.js';
import { StartWait } from './start/start-wait.js';
import { blockedLoopEntry, logReport, StopJobSearch, StopLog } from './supervisor/lifecycle-log.js';
import { reapOrphans } from './supervisor/orphans.js';
import { ChannelProbe, StoreProbe } from './supervisor/probes.js';
import { RunHistory } from './supervisor/run-history.js';
import { SideWork } from './supervisor/side-work.js';

/** Time between two status lines of a drain. */
const drainStatusIntervalMs = 1_000;
/** Longest wait for a cancelled start to notice. */
const cancelledStartTimeoutMs = 2_000;

export interface ServiceOptions {
  readonly log: AdjustableLog;
  readonly supervision: Supervision;
  readonly configuration: Configuration;
  readonly instance: string | null;
  /** True if a gateway with the same directories is to be stopped first. */
  readonly takeover: boolean;
  /** The file that the configuration was read from; null if there is none. */
  readonly configurationFile: string | null;
  readonly environment: NodeJS.ProcessEnv;
  /** Warnings of the configuration that were logged. */
  readonly warnings: readonly string[];
  /** Reads the configuration again; throws a ConfigurationError. */
  reload(): LoadedConfiguration;
}

/** A gateway as a supervised service: opens, reloads, drains and closes the runtime when the lifecycle says so. */
export class Service {
  readonly #options: ServiceOptions;
  readonly #supervised: SupervisedService;
  readonly #reports: GatewayReports;
  readonly #sideWork: SideWork;
  readonly #metrics = new GatewayMetrics();
  readonly #history: RunHistory;
  readonly #stopLog: StopLog;
  readonly #opened = new CloseStack();
  readonly #startWait: StartWait;
  #configuration: Configuration;
  /** Warnings of the configuration. */
  #warnings: readonly string[];
  /** `agent.kill_delay`, the longest since the start: a reload leaves the turns that run with theirs. */
  #killDelayMs: number;
  #opening: Promise<void> = Promise.resolve();
  #runtime: Runtime | null = null;
  #startStep = 'reading the configuration';
  #reloadRefused: string | null = null;
  /** Settings that differ from those of the start, and take effect at the next one. */
  #restartNeeded: readonly string[] = [];

  constructor(options: ServiceOptions) {
    const { log, supervision, configuration, instance, environment } = options;
    this.#options = options;
    this.#configuration = configuration;
    this.#warnings = options.warnings;
    this.#killDelayMs = longestKillDelay(configuration.agents);
    this.#sideWork = new SideWork(log);
    const job = new StopJobSearch(supervision, systemctlEnvironment(environment));
    this.#stopLog = new StopLog(log, job);
    this.#supervised = supervise({
      supervision,
      stopPolicy: () => ({ foreignSigterm: this.#configuration.stop.foreign_sigterm }),
      isStoppedByManager: () => job.isStoppedByManager(),
      stopTimeoutMs: () => this.#stopTimeoutMs(),
      statusText: () => this.#reports.status(),
      report: (report) => this.#take(report),
      blockedLoopEntry,
    });
    this.#supervised.onStop(() => this.#drain());
    this.#supervised.onClose(() => this.#close());
    this.#supervised.onReload(() => this.#reload());
    const state = this.#directories().state;
    this.#reports = new GatewayReports({
      supervision,
      instance,
      configurationFile: options.configurationFile,
      database: storeName(configuration.store, state),
      notifier: this.#supervised.notifier,
      sideWork: this.#sideWork,
      metrics: this.#metrics,
      gateway: () => ({
        lifecycle: this.#supervised,
        runtime: this.#runtime,
        startStep: this.#startStep,
        reloadRefused: this.#reloadRefused,
        restartNeeded: this.#restartNeeded,
        drainTimeoutMs: this.#configuration.stop.drain,
        putBackTurns: this.#stopLog.putBackTurns,
        deadMessages: this.#stopLog.deadMessages,
        runs: this.#history.runs,
      }),
    });
    this.#startWait = new StartWait({
      limitMs: isStartedAgain(supervision) ? configuration.start.wait : 0,
      log,
      step: (text) => {
        this.#startStep = text;
        this.#reports.statusLine.changed();
      },
      progress: reportProgress,
      signal: this.#supervised.startSignal,
    });
    this.#history = new RunHistory({
      log,
      stateDirectory: state,
      invocationId: supervision.invocationId,
      startedAt: Math.round(performance.timeOrigin),
    });
  }

  /** Starts, serves and stops. Resolves with the exit status once all is done. */
  async run(): Promise<number> {
    if (process.pid === 1) reapOrphans(this.#sideWork);
    this.#opening = this.#open();
    return this.#supervised.ended;
  }

  #directories() {
    const { instance, environment } = this.#options;
    const scope = scopeOfUser(process.getuid?.() ?? -1);
    return directories({ instance, environment, scope, home: homedir() });
  }

  #stopTimeoutMs(): number {
    return longestStop({
      drainTimeoutMs: this.#configuration.stop.drain,
      killDelayMs: this.#killDelayMs,
      // The store's is that of the start, whatever was read since.
      storeWait: longestStoreWait(this.#options.configuration.store),
    });
  }

  async #open(): Promise<void> {
    const { log, supervision } = this.#options;
    const signal = this.#supervised.startSignal;
    const wait = this.#startWait;
    try {
      const runtime = await openRuntime({
        ...this.#options,
        wait,
        directories: this.#directories(),
        unit: supervision.unit,
        sideWork: this.#sideWork,
        events: this.#events(),
        reports: this.#reports,
        metrics: this.#metrics,
        opened: this.#opened,
        signal,
      });
      if (signal.aborted) return;
      this.#runtime = runtime;
      this.#feedWatchdog(runtime);
      // Before the first command of an agent runs, as the same user.
      this.#sideWork.run('Closing the gateway’s memory to its agents', closeMemoryToOthers);
      this.#supervised.ready();
      runtime.start();
      this.#collectGarbageAtRest();
      await this.#openMetricsSocket();
    } catch (error) {
      // A start that was cancelled may fail in any way; what it had opened is closed all the same.
      if (signal.aborted) return;
      const failure = failedStart(error, wait.waitedMs);
      log.crit(failure.text, {
        ERRNO: failure.errno,
        MESSAGE_ID: failure.damaged ? messageIds.storeDamaged : null,
      });
      this.#supervised.startFailed(failure);
    }
  }

  #collectGarbageAtRest(): void {
    const timer = collectGarbageAtRest((error) =>
      this.#options.log.warning(
        `Memory that a load has taken is kept at rest: ${errorMessage(error)}. The gateway works all the same.`,
      ),
    );
    this.#opened.add(() => clearInterval(timer));
  }

  /** Beside the serving, which waits for nothing of it. */
  async #openMetricsSocket(): Promise<void> {
    const path = this.#configuration.metrics.socket;
    if (path === null) return;
    const text = () => this.#reports.metricsText();
    const close = await openMetricsSocket({ path, text, log: this.#options.log });
    if (this.#supervised.stoppingAt === null) this.#opened.add(close);
    else close();
  }

  #events(): GatewayEvents {
    const supervised = this.#supervised;
    return {
      startStep: (step) => this.#startWait.step(step),
      changed: () => this.#reports.statusLine.changed(),
      crashed: (error) => supervised.crash(error),
      stopRequested: (cause, sender) => supervised.requestStop(cause, sender),
      reloadRequested: (sender) => supervised.requestReload(sender),
      // Two calls of one message to the store's thread: the run on record, and what the first status line tells.
      storeOpens: async (store, opened) => {
        await Promise.all([
          this.#history.begin(store, opened),
          this.#reports.statusLine.follow(store, opened),
        ]);
      },
      storeCloses: () => this.#endHistory(),
    };
  }

  #feedWatchdog(runtime: Runtime): void {
    const store = new StoreProbe(runtime.store);
    const channel = new ChannelProbe(
      () => (this.#supervised.serves ? runtime.listening : []),
      () => runtime.taken,
    );
    this.#supervised.watchdog({
      begin: () =>
        this.#sideWork.run('The watchdog’s probe', () => {
          store.begin();
          channel.begin();
        }),
      parts: () => [store.progress(), ...runtime.progress(), channel.progress()],
    });
  }

  #take(report: ServiceReport): void {
    logReport(this.#options.log, report);
    switch (report.type) {
      case 'ready':
        if (report.first) this.#recordReady(report.afterMs);
        break;
      case 'reload-refused':
        this.#reloadRefused = report.reason;
        break;
      case 'stopping':
        this.#reports.announceStatus(this.#reports.status());
        this.#stopLog.begin(report.stop, this.#supervised.causeIsFinal);
        break;
      case 'stop-planned':
        this.#stopLog.becamePlanned(report.stop);
        break;
      case 'crashed':
        this.#stopLog.logStopping();
        this.#history.crashed(report.reason);
        break;
      case 'stall-changed':
        this.#reports.statusLine.changed();
        break;
      case 'stopped':
        this.#reports.close();
        if (!report.atOnce) this.#reports.announceStatus(this.#reports.status());
        break;
    }
  }

  #recordReady(afterMs: number): void {
    this.#history.ready(Math.round(this.#supervised.readyAt ?? performance.now()));
    const listening = this.#runtime?.listening ?? [];
    this.#options.log.notice(`Ready after ${Math.round(afterMs)} ms, listening on ${listening.join(', ')}`, {
      MESSAGE_ID: messageIds.ready,
    });
  }

  /** Puts a new configuration into effect; throws if there is none that can be used. */
  #reload(): void {
    const { log, reload } = this.#options;
    const { configuration, warnings } = reload();
    const unchanged = this.#runtime?.reconfigure(configuration) ?? [];
    this.#configuration = configuration;
    this.#killDelayMs = Math.max(this.#killDelayMs, longestKillDelay(configuration.agents));
    this.#reloadRefused = null;
    this.#restartNeeded = unchanged;
    log.configure(configuration.log);
    log.notice('The configuration was read again.', { MESSAGE_ID: messageIds.reloadDone });
    // A warning that still holds has been said.
    for (const warning of warnings) if (!this.#warnings.includes(warning)) log.warning(warning);
    this.#warnings = warnings;
    if (unchanged.length > 0) {
      log.warning(
        `These settings changed, and take effect at the next restart only: ${unchanged.join(', ')}`,
      );
    }
  }

  async #drain(): Promise<void> {
    // A start that was cancelled has nothing to drain.
    if (this.#runtime === null) return;
    const begun = this.#supervised.stoppingAt ?? performance.now();
    const follow = setInterval(() => this.#reports.statusLine.changed(), drainStatusIntervalMs);
    try {
      const turns = await this.#runtime.drain(this.#configuration.stop.drain);
      const durationMs = performance.now() - begun;
      await this.#supervised.causeIsFinal;
      this.#stopLog.drained(durationMs, turns);
    } finally {
      clearInterval(follow);
    }
  }

  async #close(): Promise<void> {
    // A start that was cancelled may be in a long call of the store, a check or a migration in one transaction: the
    // end of the process ends it, and the next start does it again.
    await Promise.race([this.#opening, this.#cancelledStartTimeout()]);
    this.#reports.statusLine.changed();
    await this.#opened.close();
    // A start that was cancelled has no history to end.
    this.#stopLog.logStopping();
  }

  /** Resolves a moment after a start was cancelled; else never. */
  #cancelledStartTimeout(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#supervised.startSignal.aborted) setTimeout(resolve, cancelledStartTimeoutMs);
    });
  }

  /** The last thing that is written to the store. */
  async #endHistory(): Promise<void> {
    const { stop, failure } = this.#supervised;
    if (stop === null) throw new Error('The store is closed without a stop.');
    await this.#history.end(await this.#stopLog.end(stop, failure));
  }
}
