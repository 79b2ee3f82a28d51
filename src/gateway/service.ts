import type { GatewayFacts } from '../channels/control/facts.js';
import type { Readiness } from '../channels/http/http-channel.js';
import type { Configuration } from '../config/schema.js';
import { exitStatus } from '../lifecycle/exit-status.js';
import {
  initialState,
  type LifecycleEffect,
  type LifecycleEvent,
  type LifecycleState,
  transition,
} from '../lifecycle/state.js';
import { type StatusFacts, statusLine, type WorkFacts } from '../lifecycle/status-line.js';
import { describeStop, judgeSignal, type StopRequest, stopRequest } from '../lifecycle/stop-cause.js';
import { describeStopJob, type StopJob } from '../lifecycle/stop-job.js';
import { describeSupervision, type Supervision } from '../lifecycle/supervision.js';
import { barrierTimeout, longestStop, type StopTimes } from '../lifecycle/timeout-extension.js';
import { ResidentMemory } from '../linux/resources.js';
import type { AdjustableLog } from '../log/create-log.js';
import type { LogFields } from '../log/log.js';
import { messageIds } from '../log/message-ids.js';
import { systemctlEnvironment } from '../manager/jobs.js';
import type { PreparedStore } from '../store/prepare-store.js';
import type { Store, StoreCounts } from '../store/store.js';
import type { SignalDelivery } from '../systemd/signal.js';
import { watchdogEnabled } from '../systemd/watchdog.js';
import { Announcer } from './announcer.js';
import { ChannelProbe } from './channel-probe.js';
import { EventLoopDelay } from './event-loop-delay.js';
import { failedStart } from './failed-start.js';
import { Parts } from './parts.js';
import { Patience } from './patience.js';
import { RunHistory } from './run-history.js';
import { SideWork } from './side-work.js';
import { StatusReporter } from './status-reporter.js';
import { StopJobSearch } from './stop-job-search.js';
import { programVersion } from './version.js';
import { StoreProbe, WatchdogFeeder } from './watchdog-feeder.js';

/** How often the status line follows a drain, in milliseconds. */
const drainStatusInterval = 1_000;
/** How long a start that was cancelled may take to notice, in milliseconds. */
const cancelledStartPatience = 2_000;
/** How long the store may take for its counts when somebody asks how the gateway is, in milliseconds. */
const countsPatience = 1_000;
/** Longest wait of the record “Stopping” for the stop's job, beside the drain. */
const stoppingRecordPatienceMs = 1_000;
/** Longest time by which a missing job delays a stop. */
const jobPatienceMs = 100;
/** The longest that setInterval takes, in milliseconds. */
const longestInterval = 2 ** 31 - 1;

export interface ServiceOptions {
  readonly log: AdjustableLog;
  readonly supervision: Supervision;
  readonly configuration: Configuration;
  readonly instance: string | null;
  /** Whether a gateway with the same directories is to be stopped first. */
  readonly takeover: boolean;
  readonly preparedStore: PreparedStore;
  /** Null: there is none. */
  readonly configurationFile: string | null;
  readonly environment: NodeJS.ProcessEnv;
  /** Reads the configuration again; throws a ConfigurationError. */
  reload(): Configuration;
}

/**
 * The one owner of the lifecycle's state: takes in what happens as events, and performs the effects that
 * src/lifecycle/state.ts answers with. Nothing else in the project ends the process of a running gateway.
 */
export class Service {
  readonly #options: ServiceOptions;
  readonly #announcer: Announcer;
  readonly #patience: Patience;
  readonly #status: StatusReporter;
  readonly #cancelStart = new AbortController();
  readonly #startedAt = performance.now();
  #configuration: Configuration;
  /** `agent.kill_delay`, the longest since the start: a reload leaves the turns that run with theirs. */
  #killDelay: number;
  #state: LifecycleState = initialState;
  readonly #parts: Parts;
  #opening: Promise<void> = Promise.resolve();
  #watchdog: WatchdogFeeder | null = null;
  #startStep = 'reading the configuration';
  #readyAt = 0;
  #stoppingAt = 0;
  #putBack = 0;
  #finished = 0;
  #drainMicroseconds: number | null = null;
  #stopRequestedAt = 0;
  readonly #history: RunHistory;
  readonly #delay = new EventLoopDelay();
  readonly #memory = ResidentMemory.open();
  readonly #sideWork: SideWork;
  readonly #stopJob: StopJobSearch;
  #sayStopping: () => void = () => undefined;
  #reloadRefused: string | null = null;
  #stop: StopRequest | null = null;
  #failure: string | null = null;
  #exit: (status: number) => void = () => undefined;
  /** Nothing but the exit ends the process: not even an event loop that has nothing left to wait for. */
  #alive: NodeJS.Timeout | null = null;
  #overdue: NodeJS.Timeout | null = null;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#killDelay = options.configuration.agent.kill_delay;
    this.#announcer = new Announcer(options.log);
    this.#sideWork = new SideWork(options.log);
    this.#stopJob = new StopJobSearch(options.supervision, systemctlEnvironment(options.environment));
    this.#patience = new Patience(options.log);
    this.#status = new StatusReporter(
      this.#announcer,
      (work) => this.#statusFacts(work),
      (text) => this.#parts.announce(text),
      this.#sideWork,
    );
    this.#parts = new Parts({
      configuration: options.configuration,
      instance: options.instance,
      environment: options.environment,
      unit: options.supervision.unit,
      takeover: options.takeover,
      preparedStore: options.preparedStore,
      log: options.log,
      sideWork: this.#sideWork,
      signal: this.#cancelStart.signal,
      step: (step) => {
        this.#startStep = step;
        this.#status.changed();
      },
      readiness: () => this.#readiness(),
      changed: () => this.#status.changed(),
      crash: (error) => this.crash(error),
      stop: (cause, sender) =>
        this.#happen({ type: 'stop-requested', stop: stopRequest(cause, 'control-socket', sender) }),
      reload: () => this.#happen({ type: 'reload-requested' }),
      status: () => this.#status.text(),
      facts: () => this.#facts(),
      // Two calls of one message to the store's thread: the run on record, and what the first status line tells.
      storeOpened: async (store, resumedTurns) => {
        await Promise.all([this.#history.begin(store, resumedTurns), this.#status.follow(store)]);
      },
      storeCloses: () => this.#endHistory(),
    });
    this.#history = new RunHistory({
      log: options.log,
      stateDirectory: this.#parts.stateDirectory,
      invocationId: options.supervision.invocationId,
      startedAt: Math.round(performance.timeOrigin),
    });
  }

  /** Starts, serves and stops. Resolves with the exit status once all is done. */
  async run(): Promise<number> {
    return new Promise((resolve) => {
      this.#exit = resolve;
      this.#alive = setInterval(() => undefined, longestInterval);
      this.#patience.whileStarting();
      this.#opening = this.#open();
    });
  }

  /** Takes in a signal with its sender. */
  receive(delivery: SignalDelivery): void {
    const stopping = this.#state.name === 'stopping' ? this.#state.stop : null;
    const policy = { foreignSigterm: this.#configuration.stop.foreign_sigterm };
    const verdict = judgeSignal(delivery, this.#options.supervision, policy, stopping);
    switch (verdict.kind) {
      case 'reload':
        this.#happen({ type: 'reload-requested' });
        break;
      case 'stop':
        this.#happen({ type: 'stop-requested', stop: verdict.stop });
        break;
      case 'end-at-once':
        this.#happen({ type: 'end-at-once', exitStatus: verdict.exitStatus });
        break;
    }
  }

  /** Takes in an exception that nobody caught: the process can't be trusted any more. */
  crash(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const stack = error instanceof Error && error.stack !== undefined ? error.stack : reason;
    this.#options.log.crit(`The gateway crashes: ${stack}`, { MESSAGE_ID: messageIds.crash });
    this.#history.crashed(reason);
    this.#happen({ type: 'crashed', reason });
  }

  #happen(event: LifecycleEvent): void {
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
        this.#announcer.send({ reloading: true, status: statusLine({ state: 'reloading' }) });
        break;
      case 'announce-reload-refused':
        this.#announceReloadRefused(effect.reason);
        break;
      case 'announce-stopping':
        this.#announceStopping(effect.stop);
        break;
      case 'announce-failure':
        this.#failure = effect.reason;
        this.#announcer.send({
          status: this.#status.text(),
          ...(effect.errno === null ? {} : { errno: effect.errno }),
        });
        break;
      case 'note-further-stop':
        this.#options.log.notice(
          `Already stopping; a further stop changes nothing: ${describeStop(effect.stop)}`,
          stopFields(effect.stop),
        );
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

  /** An effect that goes on; what it throws is a crash like any other. */
  #run(promise: Promise<void>): void {
    promise.catch((error: unknown) => this.crash(error));
  }

  async #open(): Promise<void> {
    try {
      await this.#parts.open();
      const { store } = this.#parts;
      if (this.#cancelStart.signal.aborted || store === null) return;
      this.#feedWatchdog(store);
      this.#happen({ type: 'started' });
      this.#parts.start();
    } catch (error) {
      // A start that was cancelled may fail in any way; what it had opened is closed all the same.
      if (this.#cancelStart.signal.aborted) return;
      const failure = failedStart(error);
      this.#options.log.crit(failure.text, {
        ERRNO: failure.errno,
        MESSAGE_ID: failure.damaged ? messageIds.storeDamaged : null,
      });
      this.#happen({
        type: 'start-failed',
        cause: failure.cause,
        reason: failure.reason,
        errno: failure.errno,
      });
    }
  }

  #announceReady(): void {
    this.#patience.end();
    const first = this.#readyAt === 0;
    if (first) this.#readyAt = performance.now();
    this.#announcer.send({ ready: true, status: this.#status.text() });
    if (first) {
      this.#history.ready(Math.round(this.#readyAt));
      const { log } = this.#options;
      log.notice(
        `Ready after ${Math.round(this.#readyAt - this.#startedAt)} ms, listening on ${this.#parts.listening.join(', ')}`,
        { MESSAGE_ID: messageIds.ready },
      );
    }
  }

  #announceReloadRefused(reason: string): void {
    this.#reloadRefused = reason;
    this.#options.log.err(`The new configuration is refused, the old one stays in force: ${reason}`, {
      MESSAGE_ID: messageIds.reloadRefused,
    });
  }

  #announceStopping(stop: StopRequest): void {
    this.#stoppingAt = performance.now();
    this.#stopRequestedAt = Date.now();
    this.#stop = stop;
    // The manager's patience must have been extended before its own timeout can end, whatever the unit file says.
    const status = this.#status.text();
    this.#announcer.send({ stopping: true, status });
    this.#parts.announce(status);
    this.#patience.whileStopping(this.#stopTimes());
    // Before the manager's patience ends: a stop that hangs is to say so itself.
    const patience = longestStop(this.#stopTimes());
    this.#overdue = setTimeout(
      () => {
        this.crash(new Error(`the stop did not end within ${patience} ms: ${this.#status.text()}`));
      },
      Math.min(patience, longestInterval),
    );
    const asked = this.#stopJob.begin(stop);
    let said = false;
    this.#sayStopping = () => {
      if (said) return;
      said = true;
      this.#logStopping(stop, this.#stopJob.job);
    };
    // The job is part of this record if it is known by then. The record of the whole stop may have it later.
    if (asked) void this.#stopJob.settled(stoppingRecordPatienceMs).then(this.#sayStopping);
    else this.#sayStopping();
  }

  #logStopping(stop: StopRequest, job: StopJob | null): void {
    const planned = stop.exitStatus === exitStatus.success || stop.exitStatus === exitStatus.restart;
    const fields: LogFields = {
      MESSAGE_ID: stop.cause === 'foreign-kill' ? messageIds.foreignKill : messageIds.stopRequested,
      SD_GATEWAY_JOB: job?.type,
      ...stopFields(stop),
    };
    const text = `Stopping: ${describeStop(stop)}${job === null ? '' : `, ${describeStopJob(job)}`}`;
    if (planned) this.#options.log.notice(text, fields);
    else this.#options.log.err(text, fields);
  }

  #reload(): void {
    const { log, reload } = this.#options;
    try {
      const configuration = reload();
      const unchanged = this.#parts.reconfigure(configuration);
      this.#configuration = configuration;
      this.#killDelay = Math.max(this.#killDelay, configuration.agent.kill_delay);
      this.#reloadRefused = null;
      log.configure(configuration.log);
      log.notice('The configuration was read again.', { MESSAGE_ID: messageIds.reloadDone });
      if (unchanged.length > 0) {
        log.warning(
          `These settings changed, and take effect at the next restart only: ${unchanged.join(', ')}`,
        );
      }
      this.#happen({ type: 'reload-done' });
    } catch (error) {
      this.#happen({
        type: 'reload-refused',
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  async #drain(): Promise<void> {
    const follow = setInterval(() => this.#status.changed(), drainStatusInterval);
    try {
      const drained = await this.#parts.drain(this.#configuration.stop.drain);
      this.#putBack = drained.putBack;
      this.#finished = drained.finished;
      this.#sayStopping();
      const microseconds = Math.round((performance.now() - this.#stoppingAt) * 1_000);
      this.#drainMicroseconds = microseconds;
      this.#options.log.notice(
        `Drained in ${Math.round(microseconds / 1_000)} ms: ${drained.finished} ended, ${this.#putBack} put back for the next start`,
        {
          MESSAGE_ID: this.#putBack > 0 ? messageIds.putBack : messageIds.drainFinished,
          SD_GATEWAY_DRAIN_USEC: microseconds,
          SD_GATEWAY_PUT_BACK: this.#putBack,
        },
      );
    } finally {
      clearInterval(follow);
    }
    this.#happen({ type: 'drain-finished' });
  }

  async #close(): Promise<void> {
    // A start that was cancelled may be in a long call of the store, a check or a migration in one transaction: the
    // end of the process ends it, and the next start does it again.
    await Promise.race([this.#opening, this.#unlessCancelled()]);
    this.#status.changed();
    await this.#parts.close();
    // A start that was cancelled has no history to end.
    this.#sayStopping();
    this.#happen({ type: 'closed' });
  }

  /** The last thing that is written to the store. */
  async #endHistory(): Promise<void> {
    await this.#stopJob.settled(jobPatienceMs);
    this.#sayStopping();
    const { job } = this.#stopJob;
    this.#stopJob.close();
    await this.#history.end({
      stop: this.#stop ?? stopRequest('crash', 'gateway', null),
      requestedAt: this.#stopRequestedAt === 0 ? Date.now() : this.#stopRequestedAt,
      job,
      drainMicroseconds: this.#drainMicroseconds,
      finishedTurns: this.#finished,
      putBackTurns: this.#putBack,
      error: this.#failure,
    });
  }

  #partFacts() {
    const now = performance.now();
    const stalled = this.#watchdog?.stalled ?? [];
    // The store's round trips are measured for the watchdog only.
    const parts = this.#watchdog?.progress() ?? this.#parts.progress();
    return parts.map(({ name, pendingSince }) => ({
      name,
      pendingFor: pendingSince === null ? 0 : Math.round(now - pendingSince),
      stalled: stalled.includes(name),
    }));
  }

  async #facts(): Promise<Omit<GatewayFacts, 'callerTurn'>> {
    const { supervision, instance } = this.#options;
    const { store } = this.#parts;
    const watchdog = watchdogEnabled();
    return {
      version: programVersion(),
      node: process.version,
      pid: process.pid,
      uid: process.getuid?.() ?? -1,
      instance,
      unit: supervision.unit,
      invocationId: supervision.invocationId,
      state: this.#state.name,
      status: this.#status.text(),
      startedAt: Math.round(performance.timeOrigin),
      readyAt: this.#readyAt === 0 ? null : Math.round(performance.timeOrigin + this.#readyAt),
      supervision: describeSupervision(supervision),
      supervisionWarnings: supervision.warnings.map(({ text }) => text),
      watchdog: watchdog.enabled
        ? {
            microseconds: Number(watchdog.microseconds),
            sinceLastPing: this.#watchdog?.sinceLastPing ?? null,
          }
        : null,
      parts: this.#partFacts(),
      eventLoopDelay: this.#delay.take(),
      trouble: this.#parts.trouble(),
      connections: this.#parts.connections(),
      reloadRefused: this.#reloadRefused,
      waitingHosts: this.#parts.circuits(),
      work: store === null || this.#state.name === 'stopped' ? null : await this.#counts(store),
      listening: this.#parts.listening,
      residentMemory: this.#memory?.bytes() ?? null,
      database: this.#parts.database,
      configurationFile: this.#options.configurationFile,
      runs: this.#history.runs,
    };
  }

  /** Null when the store can't say now: what else there is to tell must not wait for it. */
  async #counts(store: Store): Promise<StoreCounts | null> {
    const late = new Promise<null>((resolve) => setTimeout(resolve, countsPatience, null).unref());
    return Promise.race([store.counts().catch(() => null), late]);
  }

  /** Resolves a moment after a start was cancelled; else never. */
  #unlessCancelled(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#cancelStart.signal.aborted) setTimeout(resolve, cancelledStartPatience);
    });
  }

  #stopTimes(): StopTimes {
    // The store's is that of the start, whatever was read since.
    const { busy_timeout } = this.#options.configuration.store;
    return { drain: this.#configuration.stop.drain, killDelay: this.#killDelay, busyTimeout: busy_timeout };
  }

  async #leave(status: number, atOnce: boolean): Promise<void> {
    this.#status.close();
    this.#watchdog?.close();
    if (!atOnce) {
      const status = this.#status.text();
      this.#parts.announce(status);
      this.#announcer.send({ status });
      await this.#announcer.barrier(barrierTimeout);
    }
    this.#patience.end();
    this.#delay.close();
    this.#announcer.close();
    if (this.#alive !== null) clearInterval(this.#alive);
    if (this.#overdue !== null) clearTimeout(this.#overdue);
    this.#exit(status);
  }

  #feedWatchdog(store: Store): void {
    const watchdog = watchdogEnabled();
    if (!watchdog.enabled) return;
    const probe = new StoreProbe(store);
    const channel = new ChannelProbe(() => (this.#serves() ? this.#parts.listening : []));
    this.#watchdog = new WatchdogFeeder({
      microseconds: watchdog.microseconds,
      announcer: this.#announcer,
      log: this.#options.log,
      begin: () =>
        this.#sideWork.run('The watchdog’s probe', () => {
          probe.begin();
          channel.begin();
        }),
      parts: () => [probe.progress(), ...this.#parts.progress(), channel.progress()],
      changed: () => this.#status.changed(),
    });
  }

  #serves(): boolean {
    const { name } = this.#state;
    return name === 'ready' || name === 'reloading';
  }

  #readiness(): Readiness {
    const stalled = this.#watchdog?.stalled ?? [];
    const connections = this.#parts.connections();
    return {
      ready: this.#serves() && stalled.length === 0 && this.#parts.takesMessages(),
      facts: {
        state: this.#state.name,
        stalled,
        trouble: this.#parts.trouble(),
        parts: this.#partFacts(),
        connections: connections === null ? null : { ...connections },
        // No more than their number: whoever asks here has shown no token.
        waitingHosts: this.#parts.circuits().length,
      },
    };
  }

  #connectionsAtBound(): number | null {
    const connections = this.#parts.connections();
    return connections?.reached ? connections.bound : null;
  }

  #statusFacts(work: WorkFacts): StatusFacts {
    const state = this.#state;
    if (this.#failure !== null) return { state: 'failed', reason: this.#failure };
    switch (state.name) {
      case 'starting':
        return { state: 'starting', step: this.#startStep };
      case 'reloading':
        return { state: 'reloading' };
      case 'ready':
        return {
          state: 'ready',
          readyFor: performance.now() - this.#readyAt,
          work,
          stalled: this.#watchdog?.stalled ?? [],
          trouble: this.#parts.trouble(),
          connectionsAtBound: this.#connectionsAtBound(),
          reloadRefused: this.#reloadRefused,
        };
      case 'stopping': {
        if (state.phase === 'closing') return { state: 'closing', stop: state.stop };
        const inFlight = this.#parts.inFlight();
        return {
          state: 'draining',
          stop: state.stop,
          ...inFlight,
          elapsed: performance.now() - this.#stoppingAt,
          limit: this.#configuration.stop.drain,
        };
      }
      case 'stopped':
        return {
          state: 'stopped',
          stop: this.#stop ?? stopRequest('crash', 'gateway', null),
          elapsed: performance.now() - this.#stoppingAt,
          putBack: this.#putBack,
        };
    }
  }
}

function stopFields(stop: StopRequest): LogFields {
  return {
    SD_GATEWAY_STOP_CAUSE: stop.cause,
    SD_GATEWAY_SIGNAL: stop.signal,
    SD_GATEWAY_SENDER_PID: stop.sender?.pid,
    SD_GATEWAY_SENDER_UID: stop.sender?.uid,
    SD_GATEWAY_SENDER_COMM: stop.sender?.comm,
  };
}
