import { join } from 'node:path';
import type { GroupsFound } from '../agents/agent-groups.js';
import type { TurnProcess } from '../agents/turn-processes.js';
import { askFacts } from '../channels/control/ask-facts.js';
import type { AgentFacts, ChannelFacts } from '../channels/control/facts.js';
import { Hooks } from '../channels/hooks.js';
import type { HttpChannel } from '../channels/http/http-channel.js';
import type { ConnectionFacts, ConnectionsTaken } from '../channels/http/server/connections.js';
import type { Readiness } from '../channels/surroundings.js';
import type { ChannelConfiguration } from '../config/channel-table.js';
import type { Directories } from '../config/directories.js';
import { type Configuration, restartNeeded } from '../config/schema.js';
import type { PartProgress } from '../lifecycle/timeouts.js';
import type { Log } from '../log/log.js';
import { checkStore, storeFile } from '../store/create-store.js';
import type { OpenStore } from '../store/open-store.js';
import { newSecretToken } from '../text/secret-token.js';
import type { Channels } from './channels.js';
import type { CloseStack } from './close-stack.js';
import type { CircuitFacts } from './delivery/destinations.js';
import type { RetriedReplies } from './delivery/retried-replies.js';
import { createWebhookSecret } from './delivery/webhook/webhook-request.js';
import type { GatewayEvents } from './events.js';
import type { GatewayMetrics } from './metrics/gateway-metrics.js';
import type { ScrapedWork } from './metrics/gauges.js';
import { openChannels } from './open-channels.js';
import { openHttp } from './open-http.js';
import { memoryMaxProblem, openAgentGroups } from './start/agent-groups.js';
import { type ControlReports, openControl } from './start/control.js';
import { lockDirectories } from './start/directory-locks.js';
import { mayPass } from './start/failed-start.js';
import { endAgentLeftovers } from './start/leftovers.js';
import { makeDirectories } from './start/make-directories.js';
import { readOrCreateSecret, type SecretOptions, tokenForm } from './start/secrets.js';
import type { StartWait } from './start/start-wait.js';
import { beginStore, logRecovery, StoreTrouble } from './start/store.js';
import { checkBeforeTakeover, refuseUnit } from './start/takeover-check.js';
import { noteFatalSignals } from './supervisor/last-words.js';
import { adoptAgentOrphans } from './supervisor/orphans.js';
import type { SideWork } from './supervisor/side-work.js';
import type { DrainedWork } from './work/work-loop.js';
import { Workers, type WorkersOptions } from './workers.js';

export interface RuntimeOptions {
  readonly configuration: Configuration;
  readonly directories: Directories;
  readonly environment: NodeJS.ProcessEnv;
  readonly unit: string | null;
  /** True if a gateway with the same directories is to be stopped first. */
  readonly takeover: boolean;
  readonly log: Log;
  readonly sideWork: SideWork;
  readonly wait: StartWait;
  readonly events: GatewayEvents;
  readonly reports: ControlReports & { readiness(): Readiness; metricsText(): Promise<string> };
  readonly metrics: GatewayMetrics;
  /** Holds each part once it is open, also if a later one fails. */
  readonly opened: CloseStack;
  /** Aborted when the start is cancelled. */
  readonly signal: AbortSignal;
}

/** Longest wait for clients to take their answers after the drain. */
const httpCloseTimeoutMs = 2_000;

/** The store that is open, and what was made beside it. */
interface OpenParts {
  readonly store: OpenStore;
  readonly prepared: PromiseSettledResult<Prepared>;
}

/** The processes that agents run as. */
type AgentProcesses = Pick<WorkersOptions, 'turnProcesses' | 'agentGroups'>;

/** The way in for messages, which does not listen yet, and what runs them. */
interface Prepared {
  readonly workers: Workers;
  readonly http: HttpChannel;
  readonly channels: Channels<ChannelConfiguration>;
}

/**
 * Opens everything, the listeners last. If a part can't be opened, rejects with its error, and with the signal's reason
 * once that is aborted; what was opened before is on the stack then.
 */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { configuration, directories, log, events, opened, signal, wait } = options;
  const { state: stateDirectory, runtime: runtimeDirectory } = directories;
  const step = (text: string) => events.startStep(text);
  const database = storeFile(configuration.store, stateDirectory);
  const { takeover } = options;
  const release = await wait.until(() => {
    makeDirectories(directories, database, options.environment);
    const beforeTakeover = async (holderPid: number | null) => {
      // Some file systems don't tell who has a lock.
      const answer = await askFacts(join(runtimeDirectory, 'control.sock'));
      const holder = answer.outcome === 'told' ? answer.facts : null;
      if (holder !== null && holder.unit !== options.unit) refuseUnit(holder.unit);
      await checkTakeover(options, holderPid ?? holder?.pid ?? null);
    };
    const places = { stateDirectory, runtimeDirectory, database };
    return lockDirectories({ ...places, takeover, beforeTakeover, log, step, signal });
  });
  opened.add(release);
  signal.throwIfAborted();
  step('opening the store');
  const storeTrouble = new StoreTrouble({ log, changed: () => events.changed() });
  const turnProcesses = new Set<TurnProcess>();
  const agentGroups = await openAgentGroups(configuration.agents, options.unit, log);
  const processes = { turnProcesses, agentGroups: agentGroups.groups };
  if (agentGroups.groups === null) adoptAgentOrphans(options.sideWork);
  const [parts, control] = await Promise.allSettled([
    wait.until(() => openParts(options, storeTrouble, processes)),
    openControl({ ...options, runtimeDirectory, turnProcesses }).then(
      (server) => opened.add(() => server.close()),
      (error: unknown) => {
        wait.end();
        throw error;
      },
    ),
    endAgentLeftovers(agentDirectory(directories), agentGroups.groups, log),
  ]);
  if (parts.status === 'rejected') throw control.status === 'rejected' ? control.reason : parts.reason;
  const { store, prepared } = parts.value;
  opened.add(() => store.close());
  opened.add(() => events.storeCloses());
  if (control.status === 'rejected') throw control.reason;
  if (prepared.status === 'rejected') throw prepared.reason;
  const { workers, http, channels } = prepared.value;
  opened.add(() => workers.close());
  opened.add(() => channels.close());
  signal.throwIfAborted();
  step('binding the listeners');
  await listen(options, http);
  signal.throwIfAborted();
  step('starting the channels');
  await channels.start(configuration.channels);
  signal.throwIfAborted();
  return new Runtime({ configuration, agentGroups, store, storeTrouble, workers, http, channels });
}

function checkTakeover(options: RuntimeOptions, holderPid: number | null): Promise<void> {
  const { configuration, directories } = options;
  return checkBeforeTakeover({
    listen: configuration.http.listen,
    holderPid,
    secrets: () => [token(options), webhookSecret(options)],
    store: () => checkStore(configuration.store, directories.state),
  });
}

/** Opens the store and puts the run on record. Makes the interfaces meanwhile. */
async function openParts(
  options: RuntimeOptions,
  trouble: StoreTrouble,
  processes: AgentProcesses,
): Promise<OpenParts> {
  const { events, log, sideWork, wait } = options;
  const { state: stateDirectory } = options.directories;
  const { store, opened } = beginStore({ ...options, stateDirectory, trouble });
  const recovered = opened.then((recovery) => {
    sideWork.run('Noting which signal ends the gateway', () => noteFatalSignals(stateDirectory));
    logRecovery(log, recovery);
  });
  const recorded = Promise.all([recovered, events.storeOpens(store, opened)]);
  const prepareNow = () => prepare(options, store, processes);
  const [record, prepared] = await Promise.allSettled([recorded, prepareNow()]);
  if (record.status === 'rejected') {
    if (prepared.status === 'fulfilled') await prepared.value.workers.close();
    throw record.reason;
  }
  if (prepared.status === 'fulfilled' || !mayPass(prepared.reason)) return { store, prepared };
  // With the store that is open: the run is on record there.
  const [later] = await Promise.allSettled([wait.until(prepareNow)]);
  return { store, prepared: later };
}

function agentDirectory({ state }: Directories): string {
  return join(state, 'agents');
}

async function prepare(
  options: RuntimeOptions,
  store: OpenStore,
  processes: AgentProcesses,
): Promise<Prepared> {
  const { configuration, directories, environment, log, sideWork, events } = options;
  const hooks = new Hooks();
  const { channels, tellerOf } = openChannels({
    ...options,
    hooks,
    store,
    workers: () => workers,
    directory: join(directories.state, 'channels'),
    agentDirectory: agentDirectory(directories),
    groups: processes.agentGroups,
  });
  const workers: Workers = new Workers({
    configuration,
    agentDirectory: agentDirectory(directories),
    environment,
    webhookSecret: webhookSecret(options),
    store,
    ...processes,
    log,
    sideWork,
    metrics: options.metrics,
    senderOf: (channel) => channels.senderOf(channel),
    tellerOf,
    sayOf: (channel) => channels.sayOf(channel),
    onChange: () => events.changed(),
  });
  const http = await openHttp({
    ...options,
    ...processes,
    store,
    workers,
    channels,
    hooks,
    token: token(options),
  });
  return { workers, http, channels };
}

async function listen({ opened, wait }: RuntimeOptions, http: HttpChannel): Promise<void> {
  opened.add(() => http.close(httpCloseTimeoutMs));
  await wait.until(() => http.start());
}

function token(options: RuntimeOptions): string {
  return secret(options, 'token', newSecretToken, tokenForm);
}

function webhookSecret(options: RuntimeOptions): string {
  return secret(options, 'webhook-secret', createWebhookSecret);
}

function secret(
  { directories, log }: RuntimeOptions,
  name: string,
  create: () => string,
  form?: SecretOptions['form'],
): string {
  const { value, source, path } = readOrCreateSecret({
    credentialsDirectory: directories.credentials,
    name,
    stateDirectory: directories.state,
    create,
    ...(form === undefined ? {} : { form }),
  });
  if (source === 'created') log.notice(`Made a new ${name} in ${path}.`);
  return value;
}

/** Facts about the opened parts. */
export interface RuntimeFacts {
  /** The addresses that clients use. */
  readonly listening: readonly string[];
  /** The HTTP connections; null while nothing listens. */
  readonly connections: ConnectionFacts | null;
  /** The reason why the store or the workers can't do their work, in one line; null if all can. */
  readonly trouble: string | null;
  /** False if the store is known to refuse new messages. */
  readonly takesMessages: boolean;
  /** Hosts that replies wait for, as they failed too often or have asked for time. */
  readonly circuits: readonly CircuitFacts[];
  readonly agents: readonly AgentFacts[];
  readonly channels: readonly ChannelFacts[];
  readonly progress: readonly PartProgress[];
}

/** A gateway of which everything is open. */
export class Runtime {
  readonly store: OpenStore;
  /** The configuration of the start. */
  readonly #configuration: Configuration;
  readonly #agentGroups: GroupsFound;
  readonly #storeTrouble: StoreTrouble;
  readonly #workers: Workers;
  readonly #http: HttpChannel;
  readonly #channels: Channels<ChannelConfiguration>;

  constructor(parts: {
    readonly configuration: Configuration;
    readonly agentGroups: GroupsFound;
    readonly store: OpenStore;
    readonly storeTrouble: StoreTrouble;
    readonly workers: Workers;
    readonly http: HttpChannel;
    readonly channels: Channels<ChannelConfiguration>;
  }) {
    this.store = parts.store;
    this.#configuration = parts.configuration;
    this.#agentGroups = parts.agentGroups;
    this.#storeTrouble = parts.storeTrouble;
    this.#workers = parts.workers;
    this.#http = parts.http;
    this.#channels = parts.channels;
  }

  get listening(): readonly string[] {
    return this.#http.listening;
  }

  get taken(): ConnectionsTaken {
    return this.#http.taken;
  }

  /** From now on turns are run and replies delivered. */
  start(): void {
    this.#workers.start();
  }

  /** Takes a new configuration; returns the settings that can't change without a restart. Throws if it can't be used here. */
  reconfigure(configuration: Configuration): readonly string[] {
    const problem = memoryMaxProblem(configuration.agents, this.#agentGroups);
    if (problem !== null) throw new Error(problem);
    this.#workers.configure(configuration);
    this.#channels.configure(configuration.channels);
    return restartNeeded(this.#configuration, configuration);
  }

  /** Begins no new turn, lets what runs go on until the timeout, and puts back what has not ended. */
  async drain(drainTimeoutMs: number): Promise<DrainedWork> {
    this.#http.stopAccepting();
    this.#channels.stopAccepting();
    return this.#workers.drain(drainTimeoutMs);
  }

  inFlight(): { readonly running: number; readonly sending: number } {
    return this.#workers.inFlight();
  }

  /** The work under way, and messages that ended as dead since the start. */
  work(): ScrapedWork {
    return { ...this.inFlight(), ...this.#workers.dead() };
  }

  progress(): readonly PartProgress[] {
    return this.#workers.progress();
  }

  /** Replies whose attempts have failed, and that are tried again. */
  retriedReplies(): readonly RetriedReplies[] {
    return this.#workers.retriedReplies();
  }

  facts(): RuntimeFacts {
    return {
      listening: this.listening,
      connections: this.#http.facts().connections,
      trouble: this.#storeTrouble.reason ?? this.#workers.trouble(),
      takesMessages: this.#storeTrouble.reason === null,
      circuits: this.#workers.circuits(),
      agents: this.#workers.agents(),
      channels: this.#channels.facts(),
      progress: this.progress(),
    };
  }
}
