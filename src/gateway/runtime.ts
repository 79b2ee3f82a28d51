import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { TurnProcess } from '../agents/turn-processes.js';
import type { AgentFacts } from '../channels/control/facts.js';
import { createHttpChannel, type HttpChannel, type Readiness } from '../channels/http/http-channel.js';
import type { ConnectionFacts } from '../channels/http/server/connections.js';
import { databaseFile } from '../config/database-file.js';
import type { Directories } from '../config/directories.js';
import { restartNeeded } from '../config/restart-needed.js';
import type { Configuration } from '../config/schema.js';
import type { PartProgress } from '../lifecycle/watchdog.js';
import type { Log } from '../log/log.js';
import type { OpenStore } from '../store/open-store.js';
import type { PreparedStore } from '../store/prepare-store.js';
import { isLeftoverLink } from '../systemd/leftover-link.js';
import type { CircuitFacts } from './delivery/destinations.js';
import { createWebhookSecret } from './delivery/webhook/webhook-signature.js';
import type { GatewayEvents } from './events.js';
import { ConnectionRoom } from './sockets/connection-room.js';
import { FdStoreSockets } from './sockets/fd-store-sockets.js';
import { type ControlReports, openControl } from './start/control.js';
import { lockDirectories } from './start/directory-locks.js';
import { createToken, readOrCreateSecret, type SecretOptions, tokenForm } from './start/secrets.js';
import { beginStore, logRecovery } from './start/store.js';
import { noteFatalSignals } from './supervisor/crash-note.js';
import type { SideWork } from './supervisor/side-work.js';
import { StoreTrouble } from './supervisor/store-trouble.js';
import { Workers } from './workers.js';

export interface RuntimeOptions {
  readonly configuration: Configuration;
  readonly directories: Directories;
  readonly environment: NodeJS.ProcessEnv;
  readonly unit: string | null;
  /** True if a gateway with the same directories is to be stopped first. */
  readonly takeover: boolean;
  readonly preparedStore: PreparedStore;
  readonly log: Log;
  readonly sideWork: SideWork;
  readonly events: GatewayEvents;
  readonly reports: ControlReports & { readiness(): Readiness };
  /** Holds each part once it is open, also if a later one fails. */
  readonly opened: CloseStack;
  /** Aborted when the start is cancelled. */
  readonly signal: AbortSignal;
}

/** Longest wait for clients to take their answers after the drain. */
const httpCloseTimeoutMs = 2_000;

/** Closes in the reverse of the order in which things were opened. */
export class CloseStack {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** Closes all of it, before it rejects with the first failure. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** The way in for messages, which does not listen yet, and what runs them. */
interface Prepared {
  readonly workers: Workers;
  readonly http: HttpChannel;
  readonly sockets: FdStoreSockets;
  readonly room: ConnectionRoom;
}

/**
 * Opens everything, the listeners last. If a part can't be opened, rejects with its error, and with the signal's reason
 * once that is aborted; what was opened before is on the stack then.
 */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { configuration, directories, log, events, opened, signal, sideWork } = options;
  const { state: stateDirectory, runtime: runtimeDirectory } = directories;
  const step = (text: string) => events.startStep(text);
  const database = databaseFile(configuration, stateDirectory);
  makeDirectories(directories, database);
  const { takeover } = options;
  opened.add(
    await lockDirectories({ stateDirectory, runtimeDirectory, database, takeover, log, step, signal }),
  );
  signal.throwIfAborted();
  step('opening the store');
  const storeTrouble = new StoreTrouble({ log, changed: () => events.changed() });
  const { store, opened: recovered } = beginStore({ ...options, stateDirectory, trouble: storeTrouble });
  // While the store opens, this thread makes the interfaces.
  const turnProcesses = new Set<TurnProcess>();
  const [recovery, control, prepared] = await Promise.allSettled([
    recovered,
    openControl({ ...options, runtimeDirectory, turnProcesses }).then((server) =>
      opened.add(() => server.close()),
    ),
    prepare(options, store, turnProcesses),
  ]);
  if (recovery.status === 'rejected') throw recovery.reason;
  opened.add(() => store.close());
  sideWork.run('Noting which signal ends the gateway', () => noteFatalSignals(stateDirectory));
  opened.add(() => events.storeCloses());
  if (control.status === 'rejected') throw control.reason;
  logRecovery(log, recovery.value);
  if (prepared.status === 'rejected') throw prepared.reason;
  const { workers, http } = prepared.value;
  opened.add(() => workers.close());
  const recorded = events.storeOpened(store, recovery.value.resumedTurns);
  step('binding the listeners');
  // Both have to end, also if one fails: what the listener has opened must be on the stack.
  const [record, listening] = await Promise.allSettled([
    recorded,
    signal.aborted ? [] : listen(options, prepared.value),
  ]);
  if (record.status === 'rejected') throw record.reason;
  if (listening.status === 'rejected') throw listening.reason;
  signal.throwIfAborted();
  return new Runtime({ configuration, store, storeTrouble, workers, http, listening: listening.value });
}

function makeDirectories({ state, runtime }: Directories, database: string): void {
  if (isLeftoverLink(runtime)) rmSync(runtime);
  for (const path of [state, runtime, dirname(database)]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
}

async function prepare(
  options: RuntimeOptions,
  store: OpenStore,
  turnProcesses: Set<TurnProcess>,
): Promise<Prepared> {
  const { configuration, directories, environment, log, sideWork, events, reports } = options;
  const sockets = new FdStoreSockets(environment, log);
  const token = secret(options, 'token', createToken, tokenForm);
  const workers = new Workers({
    configuration,
    workingDirectory: directories.state,
    environment,
    webhookSecret: secret(options, 'webhook-secret', createWebhookSecret),
    store,
    turnProcesses,
    log,
    sideWork,
    onChange: () => events.changed(),
  });
  const room = new ConnectionRoom(() => workers.configuration);
  const http = createHttpChannel({
    store,
    accept: (message, limits) => workers.intake.accept(message, limits),
    sockets,
    changes: workers.messages,
    log,
    token,
    bodyLimit: configuration.http.body_limit,
    settings: () => {
      const { http, dispatch } = workers.configuration;
      const queue = {
        session: dispatch.session_queue,
        total: dispatch.total_queue,
        policy: dispatch.policy,
      };
      return { waitLimit: http.wait_limit, queue };
    },
    readiness: () => reports.readiness(),
    bounds: () => room.bounds(),
    boundChanged: () => events.changed(),
    validateReplyUrl: (url) => workers.validateReplyUrl(url),
    roomIn: (limit) => workers.dispatcher.retryAfterSeconds(limit),
    interventions: workers.actions,
  });
  await http.prepare();
  return { workers, http, sockets, room };
}

async function listen(
  { configuration, log, opened }: RuntimeOptions,
  { http, sockets, room }: Prepared,
): Promise<readonly string[]> {
  opened.add(async () => {
    const cutOff = await http.close(httpCloseTimeoutMs);
    if (cutOff > 0) log.warning(`${cutOff} connections were closed before their answer was taken.`);
  });
  const { endpoints, connections } = await sockets.take(configuration.http.listen);
  room.measure(connections.length, log);
  return http.listen(endpoints, connections);
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
  /** The reason why the store can't do its work, in one line; null if it can. */
  readonly trouble: string | null;
  /** False if the store is known to refuse new messages. */
  readonly takesMessages: boolean;
  /** Hosts that replies wait for, as they failed too often or have asked for time. */
  readonly circuits: readonly CircuitFacts[];
  readonly agents: readonly AgentFacts[];
  readonly progress: readonly PartProgress[];
}

/** A gateway of which everything is open. */
export class Runtime {
  readonly store: OpenStore;
  readonly listening: readonly string[];
  /** The configuration of the start. */
  readonly #configuration: Configuration;
  readonly #storeTrouble: StoreTrouble;
  readonly #workers: Workers;
  readonly #http: HttpChannel;

  constructor(parts: {
    readonly configuration: Configuration;
    readonly store: OpenStore;
    readonly storeTrouble: StoreTrouble;
    readonly workers: Workers;
    readonly http: HttpChannel;
    readonly listening: readonly string[];
  }) {
    this.store = parts.store;
    this.listening = parts.listening;
    this.#configuration = parts.configuration;
    this.#storeTrouble = parts.storeTrouble;
    this.#workers = parts.workers;
    this.#http = parts.http;
  }

  /** From now on turns are run and replies delivered. */
  start(): void {
    this.#workers.start();
  }

  /** Takes a new configuration; returns the settings that can't change without a restart. */
  reconfigure(configuration: Configuration): readonly string[] {
    this.#workers.configure(configuration);
    return restartNeeded(this.#configuration, configuration);
  }

  /** Begins no new turn, lets what runs go on until the timeout, and puts back what has not ended. */
  async drain(drainTimeoutMs: number): Promise<{ readonly finished: number; readonly putBack: number }> {
    this.#http.beginStop();
    return this.#workers.drain(drainTimeoutMs);
  }

  inFlight(): { readonly running: number; readonly sending: number } {
    return this.#workers.inFlight();
  }

  progress(): readonly PartProgress[] {
    return this.#workers.progress();
  }

  facts(): RuntimeFacts {
    return {
      listening: this.listening,
      connections: this.#http.facts().connections,
      trouble: this.#storeTrouble.reason ?? this.#workers.trouble(),
      takesMessages: this.#storeTrouble.reason === null,
      circuits: this.#workers.circuits(),
      agents: this.#workers.agents(),
      progress: this.progress(),
    };
  }
}
