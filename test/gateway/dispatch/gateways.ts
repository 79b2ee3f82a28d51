import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setImmediate as nextRound } from 'node:timers/promises';
import { Dispatcher } from '../../../src/gateway/dispatch/dispatcher.js';
import { Intake } from '../../../src/gateway/intake.js';
import { MessageActions } from '../../../src/gateway/message-actions.js';
import type { NewMessage, SessionPolicy } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import { newMessage, noLimits } from '../../store/samples.js';
import { SqliteFactory } from '../../store/sqlite/sqlite-factory.js';
import { agentsNamed, ManualClock, recordingLog, type Settings } from './fixture.js';
import { Calls, type Disturbances, ObservedStore } from './observed-store.js';
import { TurnsModel } from './turns-model.js';
import { type WatchedAgent, WatchedAgents } from './watched-agents.js';

export interface Plan {
  /** Gateways that share the store at a time. */
  readonly gateways: number;
  readonly settings: Settings;
  /** The policy of each session; null: that of the settings. */
  readonly policies: Readonly<Record<string, SessionPolicy | null>>;
  readonly disturbances: Disturbances;
}

interface Gateway {
  readonly owner: string;
  readonly store: ObservedStore;
  readonly agent: WatchedAgent;
  readonly dispatcher: Dispatcher;
  readonly intake: Intake;
  readonly actions: MessageActions;
  gone: boolean;
}

/** In milliseconds. */
export const lease = 6_000;
/** Less than a lease is renewed after, so that none runs out where it is renewed. */
export const shortTime = 1_000;
/** Work that falls due while time passes is seen at the end of that, and the dispatcher sleeps no less than this. */
const shortestSleep = 250;

/** No history has a power cut, so that there is no need to wait for a disk. */
const fastest = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Gateways on one real store, with agents whose turns end when they are told to, and the model that watches them. */
export class Gateways {
  readonly model: TurnsModel;
  readonly agents: WatchedAgents;
  /** Ids of all messages that were sent. */
  readonly sent: string[] = [];
  readonly #plan: Plan;
  readonly #clock = new ManualClock();
  readonly #factory = new SqliteFactory(fastest);
  readonly #calls: Calls;
  #store: Store | null = null;
  #observed: ObservedStore[] = [];
  #gateways: Gateway[] = [];
  #starts = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#calls = new Calls(plan.disturbances);
    const { policy, max_attempts: maxAttempts, collect_limit: collectLimit, repeatable } = plan.settings;
    const policies = Object.fromEntries(
      Object.entries(plan.policies).map(([session, own]) => [session, own ?? policy]),
    );
    const lateness = shortTime + shortestSleep;
    this.model = new TurnsModel({ policies, maxAttempts, collectLimit, repeatable, lateness });
    this.agents = new WatchedAgents(this.model, plan.settings.concurrency);
  }

  async open(): Promise<void> {
    const { max_attempts: maxAttempts, repeatable } = this.#plan.settings;
    this.#store = await this.#factory.open({ maxAttempts, repeatable, now: () => this.#clock.now() });
    if (this.#starts === 0) {
      for (const [session, policy] of Object.entries(this.#plan.policies)) {
        await this.#store.setPolicy(session, policy);
      }
    }
    this.#gateways = Array.from({ length: this.#plan.gateways }, () => this.#start());
  }

  async remove(): Promise<void> {
    await this.#factory.remove();
  }

  // Acts of clients.

  /** @param lingers its agent does not end when it is told to, but when the history says so */
  post(pick: number, session: string, changes: Partial<NewMessage>, lingers: boolean): void {
    const message = newMessage(session, changes);
    this.sent.push(message.id);
    if (lingers) this.agents.lingers.add(message.id);
    const gateway = this.#pick(pick);
    this.#watch(async () => {
      const { policy } = this.#plan.settings;
      const outcome = await gateway.intake.accept(message, { ...noLimits, policy });
      if (outcome.outcome === 'accepted') gateway.agent.answeredAsCancelled(outcome.interrupted);
    });
  }

  cancel(pick: number, id: string): void {
    const gateway = this.#pick(pick);
    this.#watch(async () => {
      const outcome = await gateway.actions.cancelMessage(id);
      if (outcome?.outcome === 'cancelled') gateway.agent.answeredAsCancelled([outcome.message]);
    });
  }

  cancelSession(pick: number, session: string): void {
    const gateway = this.#pick(pick);
    this.#watch(async () => {
      const cancelled = await gateway.actions.cancelSession(session);
      gateway.agent.answeredAsCancelled(cancelled?.messages ?? []);
    });
  }

  // Starts, stops and ends of gateways.

  /** Another one follows once it is drained and all who have asked it are answered. */
  stop(pick: number, patience: number): void {
    const gateway = this.#pick(pick);
    if (gateway.dispatcher.facts().state !== 'open') return;
    this.#watch(async () => {
      await gateway.dispatcher.drain(patience);
      if (gateway.gone) return;
      this.model.must(gateway.agent.runs.length === 0, `${gateway.owner} is drained, and a turn runs`);
      await gateway.store.answered();
      if (gateway.gone) return;
      this.#end(gateway);
      this.#replace(gateway);
    });
  }

  /** It is gone from one moment to the next, and another one comes to the same store. */
  drop(pick: number): void {
    const gateway = this.#pick(pick);
    this.#end(gateway);
    this.#replace(gateway);
  }

  /** All of them are gone, and others open the store again. */
  async crash(): Promise<void> {
    for (const gateway of this.#gateways) this.#end(gateway);
    await this.#factory.close();
    await this.#settle();
    this.model.takenBack();
    this.#observed = [];
    await this.open();
  }

  // Time.

  /** Until time passes, a turn ends or somebody calls. */
  async quiet(): Promise<void> {
    await this.#settle();
    // One gateway knows of all that is ready; others may learn of it only as they look, once in a lease.
    if (this.#plan.gateways === 1) this.#checkProgress();
  }

  /** @param milliseconds no more than `shortTime` */
  async pass(milliseconds: number): Promise<void> {
    await this.quiet();
    this.#clock.advance(milliseconds);
    await this.quiet();
  }

  /** Lets all leases run out that nobody renews, and each gateway look for what is due. */
  async rest(): Promise<void> {
    for (let passed = 0; passed < 2.5 * lease; passed += shortTime) await this.pass(shortTime);
    this.#checkProgress();
  }

  /** Whatever the history was, all comes to its end once agents reply. */
  async finish(): Promise<void> {
    await this.quiet();
    this.agents.replyToAll();
    for (let rounds = 0; rounds < 50 && !this.model.settled; rounds += 1) {
      await this.pass(shortTime);
      if (this.model.violations.length > 0) return;
    }
    this.model.must(this.model.settled, 'something never came to its end');
    await Promise.all(this.#gateways.map(({ dispatcher }) => dispatcher.drain(0)));
    await this.quiet();
  }

  /** The contents of the store in the end. */
  async stored() {
    const store = this.#store;
    if (store === null) throw new Error('There is no store.');
    const messages = await Promise.all(this.model.items.map(({ id }) => store.message(id)));
    return { messages, counts: await store.counts() };
  }

  async #settle(): Promise<void> {
    do {
      for (const store of this.#observed) await store.answered();
      await nextRound();
      await nextRound();
    } while (this.#observed.some((store) => store.unanswered > 0));
  }

  #pick(number: number): Gateway {
    const gateway = this.#gateways[number % this.#gateways.length];
    if (gateway === undefined) throw new Error('There is no gateway.');
    return gateway;
  }

  #start(): Gateway {
    if (this.#store === null) throw new Error('There is no store.');
    this.#starts += 1;
    const owner = `gateway ${this.#starts}`;
    const { model } = this;
    const store = new ObservedStore(this.#store, model, this.#calls, () => this.#clock.now());
    this.#observed.push(store);
    const agent = this.agents.start(owner);
    const dispatcher = new Dispatcher({
      store,
      agents: agentsNamed({ default: agent }, this.#plan.settings),
      log: recordingLog().log,
      owner,
      settings: this.#plan.settings,
      onChange: (turn, state) => model.told(turn.messageId, state),
      clock: this.#clock,
    });
    const actions = new MessageActions({
      store,
      cutOff: (id) => dispatcher.cancel(id),
      onChange: () => dispatcher.wake(),
      log: recordingLog().log,
    });
    const intake = new Intake({
      store,
      dispatcher,
      onAccepted: ({ session }, interrupted) => actions.interrupted(session, interrupted),
    });
    dispatcher.wake();
    return { owner, store, agent, dispatcher, intake, actions, gone: false };
  }

  #end(gateway: Gateway): void {
    gateway.gone = true;
    gateway.store.cutOff();
    gateway.agent.goes();
    this.model.ownerGone(gateway.owner);
  }

  #replace(gateway: Gateway): void {
    this.#gateways = this.#gateways.map((each) => (each === gateway ? this.#start() : each));
  }

  #checkProgress(): void {
    const { concurrency } = this.#plan.settings;
    const free = this.#gateways.some(
      ({ dispatcher, agent }) => dispatcher.facts().state === 'open' && agent.runs.length < concurrency,
    );
    const overdue = free ? this.model.overdue(this.#clock.now()) : [];
    this.model.must(
      overdue.length === 0,
      `${overdue.map(({ text }) => text).join()} wait while a place is free`,
    );
  }

  /** Nobody waits for it: what it throws is found in the end. */
  #watch(work: () => Promise<void>): void {
    work().catch((error: unknown) => this.model.must(false, String(error)));
  }
}
