import { mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { createAgent } from '../agents/create-agent.js';
import type { TurnProcess } from '../agents/turn-processes.js';
import { ControlServer } from '../channels/control/control-server.js';
import type { GatewayFacts } from '../channels/control/facts.js';
import { createHttpChannel, type HttpChannel, type Readiness } from '../channels/http/http-channel.js';
import type { ConnectionFacts } from '../channels/http/server/connections.js';
import { databaseFile } from '../config/database-file.js';
import { type Directories, directories, scopeOfUser } from '../config/directories.js';
import { restartNeeded } from '../config/restart-needed.js';
import type { Configuration } from '../config/schema.js';
import { longestSocketPath } from '../config/values.js';
import type { Sender } from '../lifecycle/stop-cause.js';
import type { PartProgress } from '../lifecycle/watchdog.js';
import { processName } from '../linux/proc.js';
import type { PeerCredentials } from '../linux/process.js';
import type { Log } from '../log/log.js';
import { openStore } from '../store/create-store.js';
import { newId } from '../store/new-id.js';
import type { ForgottenMessages, OpeningStore, OpenStore } from '../store/open-store.js';
import type { PreparedStore } from '../store/prepare-store.js';
import type {
  AcceptOutcome,
  MessageState,
  NewMessage,
  QueueLimits,
  Recovery,
  Store,
} from '../store/store.js';
import { isLeftoverLink } from '../systemd/leftover-link.js';
import { callerTurn } from './caller-turn.js';
import { ConnectionRoom } from './connection-room.js';
import { type AddressRange, parseRange } from './delivery/addresses/address-range.js';
import { validateReplyUrl } from './delivery/addresses/reply-url.js';
import { Deliverer } from './delivery/deliverer.js';
import type { CircuitFacts } from './delivery/destinations.js';
import { WebhookSenders } from './delivery/webhook/webhook-senders.js';
import { createWebhookSecret, parseWebhookSecrets } from './delivery/webhook/webhook-signature.js';
import { lockDirectories } from './directory-locks.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { RefusedStart } from './failed-start.js';
import { Intake } from './intake.js';
import { Interventions } from './interventions.js';
import { ManagerSockets } from './kept-sockets.js';
import { MessageEvents } from './message-events.js';
import { readOrCreateSecret, type SecretOptions } from './secret-file.js';
import type { SideWork } from './side-work.js';
import { StoreTrouble } from './store-trouble.js';
import { createToken, tokenForm } from './token.js';
import { systemClock } from './work/clock.js';

export interface PartsOptions {
  readonly configuration: Configuration;
  readonly instance: string | null;
  readonly environment: NodeJS.ProcessEnv;
  readonly unit: string | null;
  /** Whether a gateway with the same directories is to be stopped first. */
  readonly takeover: boolean;
  readonly preparedStore: PreparedStore;
  readonly log: Log;
  readonly sideWork: SideWork;
  /** Aborted when the start is cancelled. */
  readonly signal: AbortSignal;
  /** Told what the start is at. */
  step(step: string): void;
  readiness(): Readiness;
  /** Work has come, moved on or gone. */
  changed(): void;
  /** Something failed with nobody left to take the exception. */
  crash(error: unknown): void;
  stop(cause: 'planned-stop' | 'restart', sender: Sender): void;
  reload(): void;
  status(): string;
  facts(): Promise<Omit<GatewayFacts, 'callerTurn'>>;
  /** The store is open, with so many turns of the last run queued again. */
  storeOpened(store: OpenStore, resumedTurns: number): Promise<void>;
  /** All but the store is closed. */
  storeCloses(): Promise<void>;
}

/** How long clients may take for their answers once the drain is over, in milliseconds. */
const httpPatience = 2_000;

/** From the start on, in milliseconds: first those are served who have waited for it. */
const prepareSenderAfter = 200;

/** The HTTP interface before it listens, and where its sockets come from. */
interface OpeningHttp {
  readonly http: HttpChannel;
  readonly sockets: ManagerSockets;
}

/** What is closed in the reverse of the order in which it was opened. */
type Closer = () => Promise<void> | void;

/** Everything that a gateway has open while it serves. */
export class Parts {
  readonly #options: PartsOptions;
  readonly #directories: Directories;
  readonly #owner = newId();
  readonly #events = new MessageEvents();
  readonly #turnProcesses = new Set<TurnProcess>();
  readonly #closers: Closer[] = [];
  #configuration: Configuration;
  /** `delivery.allow`, parsed once: every post with a reply URL asks for it. */
  #allow: readonly AddressRange[];
  #senders: WebhookSenders | null = null;
  #store: OpenStore | null = null;
  readonly #storeTrouble: StoreTrouble;
  #dispatcher: Dispatcher | null = null;
  #interventions: Interventions | null = null;
  #intake: Intake | null = null;
  #deliverer: Deliverer | null = null;
  #prepareSender: NodeJS.Timeout | undefined;
  #http: HttpChannel | null = null;
  #control: ControlServer | null = null;
  #listening: readonly string[] = [];
  readonly #room = new ConnectionRoom(() => this.#configuration);

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#allow = options.configuration.delivery.allow.map(parseRange);
    this.#storeTrouble = new StoreTrouble({ log: options.log, changed: () => this.#options.changed() });
    const { instance, environment } = options;
    this.#directories = directories({
      instance,
      environment,
      scope: scopeOfUser(process.getuid?.() ?? -1),
      home: homedir(),
    });
  }

  get stateDirectory(): string {
    return this.#directories.state;
  }

  get database(): string {
    return databaseFile(this.#configuration, this.#directories.state);
  }

  /** The addresses that clients use. */
  get listening(): readonly string[] {
    return this.#listening;
  }

  get store(): OpenStore | null {
    return this.#store;
  }

  /**
   * Opens everything, the listeners last. What was opened before a failure or a cancellation is for `close`.
   */
  async open(): Promise<void> {
    const { signal, step } = this.#options;
    const { database } = this;
    this.#makeDirectories(database);
    this.#closers.push(
      await lockDirectories({
        stateDirectory: this.#directories.state,
        runtimeDirectory: this.#directories.runtime,
        database,
        takeover: this.#options.takeover,
        log: this.#options.log,
        step,
        signal,
      }),
    );
    if (signal.aborted) return;
    step('opening the store');
    const { http, recorded } = await this.#openStore();
    step('binding the listeners');
    // What is waited for is the disk, and that both are done.
    const [record, listening] = await Promise.allSettled([
      recorded,
      signal.aborted ? undefined : this.#listen(http),
    ]);
    if (record.status === 'rejected') throw record.reason;
    if (listening.status === 'rejected') throw listening.reason;
  }

  /** From now on turns are run and replies delivered. */
  start(): void {
    this.#dispatcher?.wake();
    this.#deliverer?.wake();
    this.#prepareSender = setTimeout(
      () => this.#options.sideWork.run('Loading the HTTP client of replies', () => this.#senders?.prepare()),
      prepareSenderAfter,
    ).unref();
  }

  /** Takes a new configuration; gives the settings that can't change without a restart. */
  reconfigure(configuration: Configuration): readonly string[] {
    this.#configuration = configuration;
    this.#allow = configuration.delivery.allow.map(parseRange);
    this.#dispatcher?.configure(this.#createAgent(), this.#dispatchSettings());
    const sender = this.#senders?.for(configuration.delivery);
    if (sender !== undefined) this.#deliverer?.configure(sender, this.#deliverySettings());
    return restartNeeded(this.#options.configuration, configuration);
  }

  /** Begins no new turn, lets what runs go on until the patience is over, and puts back what has not ended. */
  async drain(patience: number): Promise<{ readonly finished: number; readonly putBack: number }> {
    const began = performance.now();
    clearTimeout(this.#prepareSender);
    this.#http?.beginStop();
    const turns = await this.#dispatcher?.drain(patience);
    // Replies that were made meanwhile are to go out before the end, not with the next start.
    const left = () => Math.max(0, patience - (performance.now() - began));
    await this.#deliverer?.settle(left());
    await this.#deliverer?.drain(left());
    return { finished: turns?.finished ?? 0, putBack: turns?.putBack ?? 0 };
  }

  inFlight(): { readonly running: number; readonly sending: number } {
    return {
      running: this.#dispatcher?.facts().running ?? 0,
      sending: this.#deliverer?.facts().inFlight ?? 0,
    };
  }

  /** What keeps the store from doing its work, in one line; null when nothing does. */
  trouble(): string | null {
    if (this.#storeTrouble.reason !== null) return this.#storeTrouble.reason;
    return this.#dispatcher?.facts().storeTrouble ?? this.#deliverer?.facts().storeTrouble ?? null;
  }

  /** Whether the store can take new messages, as far as is known. */
  takesMessages(): boolean {
    return this.#storeTrouble.reason === null;
  }

  /** Hosts that replies wait for, as they failed too often or have asked for time. */
  circuits(): readonly CircuitFacts[] {
    return this.#deliverer?.facts().circuits ?? [];
  }

  /** The connections; null while nothing listens. */
  connections(): ConnectionFacts | null {
    return this.#http?.facts().connections ?? null;
  }

  progress(): readonly PartProgress[] {
    return [
      progressOf('dispatcher', this.#dispatcher?.facts().lastProgressAt),
      progressOf('deliverer', this.#deliverer?.facts().lastProgressAt),
    ];
  }

  /** Tells those who wait for the end at the control socket. */
  announce(text: string): void {
    this.#control?.announce(text);
  }

  /** Closes what is open, in the reverse order; all of it, before it rejects with the first failure. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const closer of this.#closers.splice(0).reverse()) {
      try {
        await closer();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #makeDirectories(database: string): void {
    const { state, runtime } = this.#directories;
    if (isLeftoverLink(runtime)) rmSync(runtime);
    for (const path of [state, runtime, dirname(database)]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
  }

  async #openControl(): Promise<void> {
    const { log, unit, stop, reload, status, facts } = this.#options;
    const senderOf = ({ pid, uid }: PeerCredentials): Sender => ({
      pid,
      uid,
      comm: processName(pid),
      isSupervisor: false,
    });
    const turnOf = (peer: PeerCredentials) => callerTurn(peer, this.#turnProcesses, log);
    const path = join(this.#directories.runtime, 'control.sock');
    // Node.js, up to 20 at least, would bind what is left of the path once the rest is cut off.
    if (Buffer.byteLength(path) > longestSocketPath) {
      throw new RefusedStart(
        `The path of the control socket, ${path}, is longer than the ${longestSocketPath} bytes that a Unix socket’s may have. Give the instance a shorter name, or name a directory with a shorter path in RUNTIME_DIRECTORY or XDG_RUNTIME_DIR.`,
      );
    }
    this.#control = await ControlServer.listen({
      path,
      log,
      unit,
      stop: (peer) => stop('planned-stop', senderOf(peer)),
      restart: (peer) => stop('restart', senderOf(peer)),
      reload,
      status,
      facts: async (peer) => ({ ...(await facts()), callerTurn: await turnOf(peer) }),
      turnOf,
    });
    this.#closers.push(() => this.#control?.close());
  }

  /** Gives the HTTP interface, which does not listen yet, and the end of what the start writes to the store. */
  async #openStore(): Promise<{ http: OpeningHttp; recorded: Promise<void> }> {
    const { storeOpened, storeCloses } = this.#options;
    const { store, opened } = this.#beginStore();
    // While the store opens, this thread makes the interfaces.
    const [recovery, control, http] = await Promise.allSettled([
      opened,
      this.#openControl(),
      this.#createHttp(store),
    ]);
    if (recovery.status === 'rejected') throw recovery.reason;
    this.#store = store;
    this.#closers.push(() => store.close());
    this.#closers.push(storeCloses);
    if (control.status === 'rejected') throw control.reason;
    this.#logRecovery(recovery.value);
    const { resumedTurns } = recovery.value;
    if (http.status === 'rejected') throw http.reason;
    const recorded = storeOpened(store, resumedTurns);
    // What fails before it is waited for has a reason of its own to give.
    recorded.catch(() => undefined);
    this.#openWorkers(store);
    return { http: http.value, recorded };
  }

  #beginStore(): OpeningStore {
    const { step, log, crash, preparedStore } = this.#options;
    const { store, dispatch, agent, delivery } = this.#configuration;
    const policy = {
      maxAttempts: dispatch.max_attempts,
      repeatable: agent.retry === 'always',
      notices: delivery.notices,
      unknownPolicy: delivery.unknown,
    };
    const setup = {
      settings: store,
      policy,
      stateDirectory: this.#directories.state,
      prepared: preparedStore,
    };
    return openStore(setup, {
      progress: step,
      warning: (error) => log.warning(error.message),
      refusing: (error) => this.#storeTrouble.refusing(error),
      accepting: () => this.#storeTrouble.accepting(),
      forgotten: (forgotten) => this.#forgotten(forgotten),
      ended: crash,
    });
  }

  #logRecovery({ resumedTurns, deadTurns, resumedDeliveries, unknownDeliveries }: Recovery): void {
    const { setAside } = unknownDeliveries;
    if (resumedTurns + deadTurns + resumedDeliveries + setAside === 0) return;
    this.#options.log.notice(
      `The last run left work behind: ${resumedTurns} turns are run again, ${resumedDeliveries} deliveries are sent again, ${deadTurns} messages are dead after their last attempt, ${setAside} replies are not sent again because they may have arrived.`,
      { SD_GATEWAY_RESUMED: resumedTurns },
    );
  }

  #forgotten({ messages, dead }: ForgottenMessages): void {
    const { log } = this.#options;
    if (dead === 0) log.info(`Forgot ${messages} messages that ended longer than store.keep ago`);
    else
      log.notice(
        `Forgot ${messages} messages that ended longer than store.keep ago, ${dead} of them dead: nobody had retried or discarded these`,
      );
  }

  #openWorkers(store: Store): void {
    const { log } = this.#options;
    const secret = this.#secret('webhook-secret', createWebhookSecret);
    const senders = new WebhookSenders(parseWebhookSecrets(secret));
    this.#senders = senders;
    const onChange = (
      { messageId, session }: { readonly messageId: string; readonly session: string },
      state: MessageState,
    ): void => {
      this.#events.emit(messageId, session, state);
      this.#options.changed();
    };
    const deliverer = new Deliverer({
      store,
      sender: senders.for(this.#configuration.delivery),
      log,
      owner: this.#owner,
      settings: this.#deliverySettings(),
      onChange,
    });
    this.#deliverer = deliverer;
    this.#dispatcher = new Dispatcher({
      store,
      agent: this.#createAgent(),
      log,
      owner: this.#owner,
      settings: this.#dispatchSettings(),
      onChange: (turn, state) => {
        if ((state === 'replied' || state === 'dead') && turn.replyTo !== null) deliverer.wake();
        onChange(turn, state);
        // What is part of the turn has changed as well: it was collected, or has its reply.
        for (const { messageId } of turn.collected) this.#events.emit(messageId, turn.session);
      },
    });
    this.#intake = new Intake({
      store,
      dispatcher: this.#dispatcher,
      onAccepted: ({ id, session }, interrupted) => {
        this.#interventions?.interrupted(session, interrupted);
        this.#events.emit(id, session, 'queued');
        this.#options.changed();
      },
    });
    // Without a drain before (a start that was cancelled or failed) these have nothing to end.
    this.#closers.push(async () => {
      await this.#dispatcher?.drain(0);
      await deliverer.drain(0);
      await senders.close();
    });
  }

  /** Nothing listens before the dispatcher is there. */
  async #accept(message: NewMessage, limits: QueueLimits): Promise<AcceptOutcome> {
    if (this.#intake === null) throw new Error('A message came before the start was over.');
    return this.#intake.accept(message, limits);
  }

  async #createHttp(store: Store): Promise<OpeningHttp> {
    const { log, readiness } = this.#options;
    const sockets = new ManagerSockets(this.#options.environment, log);
    const interventions = new Interventions({
      store,
      cutOff: (messageId) => this.#dispatcher?.cancel(messageId),
      onChange: (messageId, session) => {
        this.#events.emit(messageId, session);
        this.#dispatcher?.wake();
        this.#deliverer?.wake();
        this.#options.changed();
      },
    });
    this.#interventions = interventions;
    const http = createHttpChannel({
      store,
      accept: (message, limits) => this.#accept(message, limits),
      sockets,
      changes: this.#events,
      log,
      token: this.#secret('token', createToken, tokenForm),
      bodyLimit: this.#configuration.http.body_limit,
      settings: () => ({
        waitLimit: this.#configuration.http.wait_limit,
        queue: {
          session: this.#configuration.dispatch.session_queue,
          total: this.#configuration.dispatch.total_queue,
          policy: this.#configuration.dispatch.policy,
        },
      }),
      readiness,
      bounds: () => this.#room.bounds(),
      boundChanged: this.#options.changed,
      validateReplyUrl: (url) => validateReplyUrl(url, this.#allow),
      roomIn: (limit) => this.#dispatcher?.roomIn(limit) ?? 1,
      interventions,
    });
    await http.prepare();
    return { http, sockets };
  }

  async #listen({ http, sockets }: OpeningHttp): Promise<void> {
    const { log } = this.#options;
    this.#http = http;
    this.#closers.push(async () => {
      const cutOff = await http.close(httpPatience);
      if (cutOff > 0) log.warning(`${cutOff} connections were closed before their answer was taken.`);
    });
    const { endpoints, connections } = await sockets.take(this.#configuration.http.listen);
    this.#room.measure(connections.length, log);
    this.#listening = await http.listen(endpoints, connections);
  }

  #secret(name: string, create: () => string, form?: SecretOptions['form']): string {
    const { credentials, state } = this.#directories;
    const secret = readOrCreateSecret({
      credentialsDirectory: credentials,
      name,
      stateDirectory: state,
      create,
      ...(form === undefined ? {} : { form }),
    });
    if (secret.source === 'created') this.#options.log.notice(`Made a new ${name} in ${secret.path}.`);
    return secret.value;
  }

  #createAgent() {
    return createAgent(this.#configuration.agent, {
      log: this.#options.log,
      workingDirectory: this.#directories.state,
      environment: this.#options.environment,
      processes: this.#turnProcesses,
    });
  }

  #dispatchSettings() {
    const { timeout, retry } = this.#configuration.agent;
    const { max_attempts } = this.#options.configuration.dispatch;
    return { ...this.#configuration.dispatch, max_attempts, timeout, repeatable: retry === 'always' };
  }

  #deliverySettings() {
    return { ...this.#configuration.delivery, lease: this.#configuration.dispatch.lease };
  }
}

/** `lastProgressAt` in milliseconds since the Unix epoch: now, unless something is unanswered. */
function progressOf(name: string, lastProgressAt: number | undefined): PartProgress {
  const silentFor = lastProgressAt === undefined ? 0 : systemClock.now() - lastProgressAt;
  return { name, pendingSince: silentFor > 0 ? performance.now() - silentFor : null };
}
