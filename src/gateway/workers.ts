import type { AgentGroups } from '../agents/agent-groups.js';
import { createAgent } from '../agents/create-agent.js';
import type { SignBody } from '../agents/http/http-agent.js';
import { TurnCallbacks } from '../agents/http/turn-callbacks.js';
import type { TurnProcess } from '../agents/turn-processes.js';
import type { Channel } from '../channels/channel.js';
import type { AgentFacts } from '../channels/control/facts.js';
import type { Teller } from '../channels/conversation/teller.js';
import type { ReplySender } from '../channels/reply-sender.js';
import type { RouteQuestion, SessionOperations } from '../channels/surroundings.js';
import { type PeopleConfiguration, peopleChannels } from '../config/channel-table.js';
import { routeFor } from '../config/route-table.js';
import type { Configuration } from '../config/schema.js';
import { systemClock } from '../lifecycle/effects/clock.js';
import type { PartProgress } from '../lifecycle/timeouts.js';
import type { Log } from '../log/log.js';
import { newId } from '../store/ids.js';
import type { MessageState, NewMessage, QueueLimits } from '../store/messages.js';
import type { Store } from '../store/store.js';
import { errorMessage } from '../text/failure-text.js';
import { FileFetcher } from './attachments/fetch-file.js';
import { senderByChannel } from './channels.js';
import { type AddressRange, parseRange, validateReplyUrl } from './delivery/addresses/target-address.js';
import { Deliverer } from './delivery/deliverer.js';
import type { CircuitFacts } from './delivery/destinations.js';
import { LiveReplies } from './delivery/live-replies.js';
import type { RetriedReplies } from './delivery/retried-replies.js';
import { parseWebhookSecrets, signWebhook } from './delivery/webhook/webhook-request.js';
import { WebhookSenders } from './delivery/webhook/webhook-senders.js';
import { Agents } from './dispatch/agents.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { MessageEvents } from './events.js';
import { Intake } from './intake.js';
import { MessageActions } from './message-actions.js';
import { type CountedIntake, countedIntake } from './metrics/counted.js';
import type { GatewayMetrics } from './metrics/gateway-metrics.js';
import { People } from './people/people.js';
import { PeopleActions } from './people/people-actions.js';
import { sendersOf } from './people/people-senders.js';
import { RestartNotices } from './people/restart-notices.js';
import { QuestionMessages } from './questions/question-messages.js';
import { Questions } from './questions/questions.js';
import { SessionActions } from './session-actions.js';
import type { SideWork } from './supervisor/side-work.js';
import { tracedIntake } from './traces/traced-intake.js';
import { Tracer } from './traces/tracer.js';
import type { DrainedWork } from './work/work-loop.js';

export interface WorkersOptions {
  readonly configuration: Configuration;
  /** Below it agents have their home, and each session a directory. */
  readonly agentDirectory: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly webhookSecret: string;
  /** Takes calls, though it may still be opening. */
  readonly store: Store;
  /** Notes of the agent: the processes of the turns that run. */
  readonly turnProcesses: Set<TurnProcess>;
  /** Null: processes of agents have no control groups of their own. */
  readonly agentGroups: AgentGroups | null;
  readonly log: Log;
  readonly sideWork: SideWork;
  readonly metrics: GatewayMetrics;
  /** Returns null if no running channel of that name sends replies. */
  readonly senderOf: (channel: string) => ReplySender | null;
  /** Tells people something by a channel; null: it is none that people write to, or did not start. */
  readonly tellerOf: (channel: string) => Teller | null;
  /** Sends a short text to people of a channel; undefined: that channel says nothing, or does not run. */
  readonly sayOf: (channel: string) => Channel['say'];
  /** Work has come, moved on or gone. */
  readonly onChange: () => void;
}

/** Time from the start to the loading of the replies' HTTP client, in ms: those who have waited are served first. */
const prepareSenderDelayMs = 200;

/** Runs turns and delivers replies. Messages come in by `intake`, and people's actions on them by `actions`. */
export class Workers {
  readonly messages = new MessageEvents();
  readonly intake: CountedIntake;
  readonly actions: MessageActions;
  readonly questions: Questions;
  readonly people: People;
  readonly peopleActions: PeopleActions;
  /** Turns whose agents reply later. */
  readonly callbacks: TurnCallbacks;
  readonly sessions: SessionOperations;
  readonly fileFetcher: FileFetcher;
  readonly dispatcher: Dispatcher;
  readonly #deliverer: Deliverer;
  readonly #live: LiveReplies;
  readonly #senders: WebhookSenders;
  readonly #agents: Agents;
  readonly #options: WorkersOptions;
  #configuration: Configuration;
  /** `delivery.allow`, parsed once: every post with a reply URL asks for it. */
  #allow: readonly AddressRange[];
  readonly #restarts = new RestartNotices(systemClock.now());
  /** The channels that people write to. */
  #peopleChannels: ReadonlyMap<string, PeopleConfiguration>;
  #prepareSender: NodeJS.Timeout | undefined;
  readonly #tracer = new Tracer();

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#allow = options.configuration.delivery.allow.map(parseRange);
    this.#peopleChannels = peopleChannels(options.configuration.channels);
    this.fileFetcher = new FileFetcher(() => ({
      allow: this.#allow,
      timeoutMs: this.#configuration.attachments.fetch_timeout,
    }));
    const { store, log, metrics } = options;
    const owner = newId();
    const secrets = parseWebhookSecrets(options.webhookSecret);
    this.callbacks = new TurnCallbacks(store, { attachmentLimits: () => this.attachmentSettings() });
    this.#agents = this.#createAgents((id, body) => ({
      ...signWebhook(id, Math.floor(Date.now() / 1_000), body, secrets),
    }));
    this.#senders = new WebhookSenders(secrets);
    const onChange = (messageId: string, session: string, state: MessageState | null = null): void => {
      this.messages.emit(messageId, session, state);
      options.onChange();
    };
    const live = new LiveReplies({ store, senderOf: options.senderOf, log, clock: systemClock });
    const deliverer = new Deliverer({
      store,
      sender: this.#senders.for(this.#configuration.delivery),
      senderOf: (delivery) => senderByChannel(delivery, options.senderOf),
      noticeOf: ({ target, notice }) => {
        const teller = options.tellerOf(target.channel);
        return teller === null ? notice : teller.notice('dead');
      },
      log,
      owner,
      settings: this.#deliverySettings(),
      latePreview: (messageId) => live.lateReceipt(messageId),
      tracer: this.#tracer,
      onEnd: (delivery, end) =>
        metrics.deliveryEnded(delivery, end, {
          general: this.#configuration.delivery.unknown,
          at: systemClock.now(),
        }),
      onChange: ({ messageId, session }, state) => {
        if (state !== 'replied') live.settled(messageId);
        onChange(messageId, session, state);
      },
    });
    const { senderOf, sayOf } = options;
    const questionMessages = new QuestionMessages({ senderOf, sayOf, log, clock: systemClock });
    const questions = new Questions({
      store,
      log,
      owner,
      timeoutMs: () => this.#configuration.dispatch.question_timeout,
      onAsked: (question, turn) => {
        const progress = { type: 'question', question } as const;
        live.progress(turn, progress);
        void questionMessages.put(question, turn);
        this.messages.emitProgress(question.messageId, question.session, progress);
      },
    });
    this.questions = questions;
    this.people = new People({ store, log, channels: () => this.#peopleChannels });
    const dispatcher = new Dispatcher({
      store,
      sendersOf: (turn) => sendersOf(this.people, turn),
      agents: this.#agents,
      ask: (turn, question, signal) => questions.ask(turn, question, signal),
      log,
      owner,
      settings: this.#dispatchSettings(),
      attachmentLimits: () => this.attachmentSettings(),
      tracer: this.#tracer,
      onEnd: (agent, outcome, durationMs) => metrics.turnEnded(agent, outcome, durationMs),
      onChange: (turn, state) => {
        const { replyTo } = turn;
        if (state === 'running' && replyTo !== null && this.#restarts.isDue(turn)) {
          options.tellerOf(replyTo.channel)?.notify(replyTo, 'again');
        }
        live.changed(turn, state);
        if ((state === 'replied' || state === 'dead') && turn.replyTo !== null) deliverer.wake();
        onChange(turn.messageId, turn.session, state);
        // The messages collected into this turn have changed as well.
        for (const { messageId } of turn.collected) this.messages.emit(messageId, turn.session);
      },
      isAwaited: ({ messageId, session, collected }) =>
        this.messages.isWatched(session, [messageId, ...collected.map((each) => each.messageId)]),
      onProgress: (turn, progress) => {
        live.progress(turn, progress);
        this.messages.emitProgress(turn.messageId, turn.session, progress);
      },
    });
    this.#deliverer = deliverer;
    this.#live = live;
    this.dispatcher = dispatcher;
    this.actions = new MessageActions({
      store,
      cutOff: (messageId) => dispatcher.cancel(messageId),
      onChange: (messageId, session) => {
        this.messages.emit(messageId, session);
        dispatcher.wake();
        deliverer.wake();
        options.onChange();
      },
      log,
    });
    this.sessions = new SessionActions({
      store,
      log,
      cancelSession: (session) => this.actions.cancelSession(session),
      agentDirectory: options.agentDirectory,
      agents: () => this.#agents.names,
      routes: () => this.#configuration.route,
      onEnd: (session) => this.#agents.endSession(session),
    });
    this.peopleActions = new PeopleActions({
      people: this.people,
      store,
      sessions: this.sessions,
      log,
      channels: () => [...this.#peopleChannels.keys()],
    });
    const intake = new Intake({
      store,
      dispatcher,
      agentOf: (message) => this.#agentFor(message),
      onAccepted: ({ id, session }, interrupted) => {
        this.actions.interrupted(session, interrupted);
        onChange(id, session, 'queued');
      },
    });
    this.intake = tracedIntake(countedIntake(intake, metrics), this.#tracer);
    metrics.names = () => ({
      agents: this.#agents.names,
      channels: Object.keys(this.#configuration.channels),
    });
  }

  /** The configuration in force. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** From now on turns are run and replies delivered. */
  start(): void {
    this.questions.expireEarlier().catch((error: unknown) => {
      const reason = errorMessage(error);
      this.#options.log.warning(`Questions of an earlier run may still be shown as open: ${reason}`);
    });
    this.dispatcher.wake();
    this.#deliverer.wake();
    this.#options.sideWork.run('Loading the API of OpenTelemetry', () => this.#tracer.load());
    this.#prepareSender = setTimeout(
      () => this.#options.sideWork.run('Loading the HTTP client of replies', () => this.#senders.prepare()),
      prepareSenderDelayMs,
    ).unref();
  }

  configure(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#allow = configuration.delivery.allow.map(parseRange);
    this.#peopleChannels = peopleChannels(configuration.channels);
    this.#agents.configure(configuration.agents);
    this.dispatcher.configure(this.#dispatchSettings());
    this.#deliverer.configure(this.#senders.for(configuration.delivery), this.#deliverySettings());
  }

  validateReplyUrl(url: string) {
    return validateReplyUrl(url, this.#allow);
  }

  /** Begins no new turn, lets what runs go on until the timeout, and puts back what has not ended. */
  async drain(drainTimeoutMs: number): Promise<DrainedWork> {
    const began = performance.now();
    const dead = () => this.dispatcher.facts().dead + this.#deliverer.facts().dead;
    const deadBefore = dead();
    clearTimeout(this.#prepareSender);
    const { finished, putBack } = await this.dispatcher.drain(drainTimeoutMs);
    // Replies that were made meanwhile are to go out before the end, not with the next start.
    const leftMs = () => Math.max(0, drainTimeoutMs - (performance.now() - began));
    await this.#deliverer.settle(leftMs());
    await this.#deliverer.drain(leftMs());
    return { finished, putBack, dead: dead() - deadBefore };
  }

  /** Without a drain before, after a failed or cancelled start, there is nothing that has to end. */
  async close(): Promise<void> {
    await this.dispatcher.drain(0);
    await this.#deliverer.drain(0);
    this.#live.close();
    await this.#senders.close();
    await this.#agents.close();
  }

  /** Turns that run, and replies that are being sent. */
  inFlight(): { readonly running: number; readonly sending: number } {
    return { running: this.dispatcher.facts().running, sending: this.#deliverer.facts().inFlight };
  }

  /** Messages that ended as dead since the start. */
  dead(): { readonly deadTurns: number; readonly deadDeliveries: number } {
    return { deadTurns: this.dispatcher.facts().dead, deadDeliveries: this.#deliverer.facts().dead };
  }

  /** Why the last call to the store failed, in one line; null if it did not. */
  trouble(): string | null {
    return this.dispatcher.facts().storeTrouble ?? this.#deliverer.facts().storeTrouble;
  }

  /** Hosts that replies wait for, as they failed too often or have asked for time. */
  circuits(): readonly CircuitFacts[] {
    return this.#deliverer.facts().circuits;
  }

  /** Replies whose attempts have failed, and that are tried again. */
  retriedReplies(): readonly RetriedReplies[] {
    return this.#deliverer.retriedReplies();
  }

  agents(): readonly AgentFacts[] {
    const { agentHolds } = this.dispatcher.facts();
    const types = new Map(Object.entries(this.#configuration.agents).map(([name, { type }]) => [name, type]));
    // A session may have an agent that the configuration has no more.
    return [...new Set([...types.keys(), ...agentHolds.keys()])].map((name) => {
      const hold = agentHolds.get(name);
      return {
        name,
        type: types.get(name) ?? 'missing',
        state: hold === undefined ? 'available' : 'held',
        reason: hold?.reason ?? null,
        since: hold?.since ?? null,
        failures: hold?.failures ?? 0,
        nextAttemptAt: hold?.nextAttemptAt ?? null,
      };
    });
  }

  progress(): readonly PartProgress[] {
    return [
      progressOf('dispatcher', this.dispatcher.facts().lastProgressAt),
      progressOf('deliverer', this.#deliverer.facts().lastProgressAt),
    ];
  }

  /** True if the agent of the session's next message can't be started now. */
  async isHeld(question: RouteQuestion): Promise<boolean> {
    const { agentHolds } = this.dispatcher.facts();
    return agentHolds.size > 0 && agentHolds.has((await this.sessions.route(question)).agent);
  }

  /** Limits on waiting messages, by the configuration in force. */
  queueLimits(): QueueLimits {
    const { session_queue: session, total_queue: total, policy } = this.#configuration.dispatch;
    return { session, total, policy };
  }

  /** Bounds of the files of messages and replies, by the configuration in force. */
  attachmentSettings() {
    const { attachments } = this.#configuration;
    return {
      count: attachments.count_limit,
      fileBytes: attachments.file_limit,
      totalBytes: attachments.total_limit,
      concurrency: attachments.concurrency,
    };
  }

  #createAgents(sign: SignBody): Agents {
    const { log, agentDirectory: directory, environment, turnProcesses, agentGroups: groups } = this.#options;
    const { callbacks } = this;
    const surroundings = { log, directory, environment, processes: turnProcesses, groups, sign, callbacks };
    return new Agents(
      (table, name) => createAgent(table, { ...surroundings, name }),
      this.#configuration.agents,
      (name, error) => log.warning(`The agent "${name}" could not be ended: ${errorMessage(error)}`),
    );
  }

  #agentFor({ channel, session, sender = null }: NewMessage): string {
    return routeFor(this.#configuration.route, { channel, session, sender })?.agent ?? 'default';
  }

  #dispatchSettings() {
    // The store goes by it as well, which has it from the start.
    const { max_attempts } = this.#options.configuration.dispatch;
    return { ...this.#configuration.dispatch, max_attempts };
  }

  #deliverySettings() {
    return { ...this.#configuration.delivery, lease: this.#configuration.dispatch.lease };
  }
}

/** `lastProgressAt` in milliseconds since the Unix epoch: now, unless something is unanswered. */
function progressOf(name: string, lastProgressAt: number): PartProgress {
  const silentFor = systemClock.now() - lastProgressAt;
  return { name, pendingSince: silentFor > 0 ? performance.now() - silentFor : null };
}
