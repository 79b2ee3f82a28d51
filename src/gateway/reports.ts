import type { ChannelFacts, GatewayFacts } from '../channels/control/facts.js';
import type { ReadyFacts } from '../channels/http/openapi/health.js';
import type { Readiness } from '../channels/surroundings.js';
import type { Notifier } from '../lifecycle/effects/notifier.js';
import type { LifecycleState } from '../lifecycle/state.js';
import type { StatusFacts, WorkFacts } from '../lifecycle/status-line.js';
import { describeSupervision, type Supervision } from '../lifecycle/supervision.js';
import type { PartProgress } from '../lifecycle/timeouts.js';
import { ResidentMemory } from '../linux/process.js';
import type { StoreCounts } from '../store/messages.js';
import type { MeasuredStore, OpenStore, RunRecord } from '../store/open-store.js';
import type { Store } from '../store/store.js';
import { watchdogEnabled } from '../systemd/watchdog.js';
import { programVersion } from '../version.js';
import { channelTrouble } from './channels.js';
import type { GatewayMetrics } from './metrics/gateway-metrics.js';
import { processFigures } from './metrics/process-figures.js';
import { Scraper } from './metrics/scraper.js';
import type { Runtime, RuntimeFacts } from './runtime.js';
import { EventLoopDelay } from './supervisor/probes.js';
import type { SideWork } from './supervisor/side-work.js';
import { StatusReporter } from './supervisor/status-reporter.js';

/** The lifecycle as it is now; times by `performance.now()`. */
export interface ReportedLifecycle {
  readonly state: LifecycleState;
  readonly serves: boolean;
  readonly readyAt: number | null;
  readonly stoppingAt: number | null;
  readonly failure: string | null;
  /** Parts for which the watchdog is not fed. */
  readonly stalled: readonly string[];
  /** In milliseconds; null if the watchdog was not fed yet. */
  readonly sinceLastPing: number | null;
  /** The progress of the parts that the watchdog stands for; null without a watchdog. */
  readonly progress: readonly PartProgress[] | null;
}

/** The gateway as it is now. */
export interface ReportedGateway {
  readonly lifecycle: ReportedLifecycle;
  /** The opened parts; null until all are open. */
  readonly runtime: Runtime | null;
  /** A step of the start, such as "opening the store". */
  readonly startStep: string;
  readonly reloadRefused: string | null;
  /** Changed settings that take effect at the next start. */
  readonly restartNeeded: readonly string[];
  readonly drainTimeoutMs: number;
  /** Turns that the drain has put back. */
  readonly putBackTurns: number;
  /** Messages that the drain has made dead. */
  readonly deadMessages: number;
  /** Newest first; the first is this one. */
  readonly runs: readonly RunRecord[];
}

export interface ReportsOptions {
  readonly supervision: Supervision;
  readonly instance: string | null;
  /** The file that the configuration was read from; null if there is none. */
  readonly configurationFile: string | null;
  readonly database: string;
  readonly notifier: Notifier;
  readonly sideWork: SideWork;
  readonly metrics: GatewayMetrics;
  readonly gateway: () => ReportedGateway;
}

/** Longest wait for the store's counts when somebody asks for the facts. */
const countsTimeoutMs = 1_000;

/** The facts as long as not everything is open. */
const notOpen: RuntimeFacts = {
  listening: [],
  connections: null,
  trouble: null,
  takesMessages: false,
  circuits: [],
  agents: [],
  channels: [],
  progress: [
    { name: 'dispatcher', pendingSince: null },
    { name: 'deliverer', pendingSince: null },
  ],
};

/** Reports the gateway's state: in the status line, at the control socket, and at /readyz. */
export class GatewayReports {
  /** Keeps `STATUS=` true. */
  readonly statusLine: StatusReporter;
  readonly #options: ReportsOptions;
  readonly #delay = new EventLoopDelay();
  readonly #memory = ResidentMemory.open();
  readonly #scraper: Scraper;
  readonly #followers: ((text: string) => void)[] = [];

  constructor(options: ReportsOptions) {
    this.#options = options;
    this.statusLine = new StatusReporter(
      options.notifier,
      (work) => this.#statusFacts(work),
      (text) => this.announceStatus(text),
      options.sideWork,
    );
    this.#scraper = new Scraper({
      metrics: options.metrics,
      store: () => this.#openStore(),
      gateway: () => this.#scraped(),
    });
  }

  /** The status line as it is now, or the last one that could be made. */
  status(): string {
    return this.statusLine.text();
  }

  /** Calls the listener with each line that is announced, also those that are too soon for the service manager. */
  followStatus(listener: (text: string) => void): void {
    this.#followers.push(listener);
  }

  announceStatus(text: string): void {
    for (const listener of this.#followers) listener(text);
  }

  readiness(): Readiness {
    const { lifecycle, runtime } = this.#options.gateway();
    const { stalled, serves, state } = lifecycle;
    const facts = runtime?.facts() ?? notOpen;
    const { takesMessages, connections, circuits, agents, channels } = facts;
    const lacksChannel = channels.some((channel) => channel.required && channel.state !== 'up');
    return {
      ready: serves && stalled.length === 0 && takesMessages && !lacksChannel,
      facts: {
        state: state.name,
        stalled,
        trouble: facts.trouble ?? channelTrouble(channels),
        parts: this.#partFacts(),
        connections: connections === null ? null : { ...connections },
        // Only their number: whoever asks here has shown no token.
        waitingHosts: circuits.length,
        agents: agents.map(({ name, state, failures, reason }) => ({ name, state, failures, reason })),
        channels: channels.map(({ name, state, required }) => ({ name, state, required })),
      } satisfies ReadyFacts,
    };
  }

  /** The text that Prometheus reads. */
  metricsText(): Promise<string> {
    return this.#scraper.text();
  }

  async facts(): Promise<Omit<GatewayFacts, 'callerTurn'>> {
    const { supervision, instance, configurationFile, database } = this.#options;
    const work = await this.#counts();
    const { lifecycle, runtime, reloadRefused, restartNeeded, runs } = this.#options.gateway();
    const { state, readyAt, sinceLastPing } = lifecycle;
    const { trouble, connections, circuits, agents, channels, listening } = runtime?.facts() ?? notOpen;
    const watchdog = watchdogEnabled();
    return {
      version: programVersion(),
      node: process.version,
      pid: process.pid,
      uid: process.getuid?.() ?? -1,
      instance,
      unit: supervision.unit,
      invocationId: supervision.invocationId,
      state: state.name,
      status: this.statusLine.text(work),
      startedAt: Math.round(performance.timeOrigin),
      readyAt: readyAt === null ? null : Math.round(performance.timeOrigin + readyAt),
      supervision: describeSupervision(supervision),
      supervisionWarnings: supervision.warnings.map(({ text }) => text),
      watchdog: watchdog.enabled ? { microseconds: Number(watchdog.microseconds), sinceLastPing } : null,
      parts: this.#partFacts(),
      eventLoopDelay: this.#delay.take(),
      trouble,
      connections,
      reloadRefused,
      restartNeeded,
      waitingHosts: circuits,
      retriedReplies: runtime?.retriedReplies() ?? [],
      agents,
      channels,
      work,
      listening,
      residentMemory: this.#memory?.bytes() ?? null,
      database,
      configurationFile,
      runs,
    };
  }

  /** Before all else, so that the status line has the same numbers. Null: there is no store to ask. */
  async #counts(): Promise<StoreCounts | null> {
    const store = this.#openStore();
    return store === null ? null : countsOf(store);
  }

  #openStore(): (OpenStore & Partial<MeasuredStore>) | null {
    const { lifecycle, runtime } = this.#options.gateway();
    return lifecycle.state.name === 'stopped' ? null : (runtime?.store ?? null);
  }

  #scraped() {
    const { lifecycle, runtime, reloadRefused, restartNeeded, runs } = this.#options.gateway();
    const [present, before] = runs;
    return {
      version: programVersion(),
      node: process.version,
      state: lifecycle.state.name,
      ready: this.readiness().ready,
      stalledParts: lifecycle.stalled.length,
      reloadRefused: reloadRefused !== null,
      restartNeeded: restartNeeded.length > 0,
      putBackBefore: before?.stop?.putBackTurns ?? 0,
      resumed: present?.resumedTurns ?? 0,
      runtime: runtime?.facts() ?? null,
      work: runtime?.work() ?? null,
      process: processFigures(this.#memory?.bytes() ?? null),
    };
  }

  close(): void {
    this.statusLine.close();
    this.#delay.close();
    this.#scraper.close();
  }

  #partFacts() {
    const now = performance.now();
    const { lifecycle, runtime } = this.#options.gateway();
    // The store's round trips are measured for the watchdog only.
    const parts = lifecycle.progress ?? runtime?.progress() ?? notOpen.progress;
    return parts.map(({ name, pendingSince }) => ({
      name,
      pendingFor: pendingSince === null ? 0 : Math.round(now - pendingSince),
      stalled: lifecycle.stalled.includes(name),
    }));
  }

  #statusFacts(work: WorkFacts): StatusFacts {
    const { lifecycle, runtime, startStep, reloadRefused, drainTimeoutMs, putBackTurns, deadMessages } =
      this.#options.gateway();
    const { state, failure, stalled } = lifecycle;
    if (failure !== null) return { state: 'failed', reason: failure };
    switch (state.name) {
      case 'starting':
        return { state: 'starting', step: startStep };
      case 'reloading':
        return { state: 'reloading' };
      case 'ready': {
        const { trouble, connections, channels } = runtime?.facts() ?? notOpen;
        return {
          state: 'ready',
          readyFor: since(lifecycle.readyAt),
          work,
          stalled,
          trouble: trouble ?? downChannels(channels),
          connectionsAtBound: connections?.reached ? connections.bound : null,
          reloadRefused,
        };
      }
      case 'stopping': {
        if (state.phase === 'closing') return { state: 'closing', stop: state.stop };
        const inFlight = runtime?.inFlight() ?? { running: 0, sending: 0 };
        const elapsed = since(lifecycle.stoppingAt);
        return { state: 'draining', stop: state.stop, ...inFlight, elapsed, limit: drainTimeoutMs };
      }
      case 'stopped':
        return {
          state: 'stopped',
          stop: state.stop,
          elapsed: since(lifecycle.stoppingAt),
          putBack: putBackTurns,
          dead: deadMessages,
        };
    }
  }
}

/** Milliseconds from then to now; 0 if it has not come. */
function since(time: number | null): number {
  return time === null ? 0 : performance.now() - time;
}

/** Resolves with null if the store is late or fails: the other facts must not wait for it. */
async function countsOf(store: Pick<Store, 'counts'>): Promise<StoreCounts | null> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, countsTimeoutMs, null).unref());
  return Promise.race([store.counts().catch(() => null), late]);
}

/** Names the channels that are down, for a line that has no room for the reasons; null if none is. */
function downChannels(channels: readonly ChannelFacts[]): string | null {
  const names = channels.filter(({ state }) => state === 'down').map(({ name }) => name);
  if (names.length === 0) return null;
  return names.length === 1 ? `channel ${names[0]} is down` : `channels are down: ${names.join(', ')}`;
}
