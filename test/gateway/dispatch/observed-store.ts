import { setImmediate as nextRound } from 'node:timers/promises';
import type { DispatcherOptions } from '../../../src/gateway/dispatch/dispatcher.js';
import type { IntakeOptions } from '../../../src/gateway/intake.js';
import type { MessageActionsOptions } from '../../../src/gateway/message-actions.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { TurnHold } from '../../../src/store/turns.js';
import type { TurnsModel } from './turns-model.js';

/** Disturbances that the calls of gateways meet on their way. */
export interface Disturbances {
  /** True where the store refuses an end of a turn, as a full disk would: the first ones, in their order. */
  readonly refused: readonly boolean[];
  /** For how many rounds of the event loop an answer is on its way, again and again. */
  readonly late: readonly number[];
}

type Observed = DispatcherOptions['store'] & IntakeOptions['store'] & MessageActionsOptions['store'];

/** The calls of all gateways, of which the store does the first one first. */
export class Calls {
  readonly #disturbances: Disturbances;
  #noted: Promise<unknown> = Promise.resolve();
  #ends = 0;
  #answers = 0;

  constructor(disturbances: Disturbances) {
    this.#disturbances = disturbances;
  }

  /** Calls `note` with the answer once all that was called before is noted, and gives the answer some time after that. */
  async make<Result>(call: () => Promise<Result>, note: (result: Result) => void): Promise<Result> {
    const before = this.#noted;
    const answer = call();
    const noted = Promise.all([answer, before]).then(([result]) => note(result));
    // Whoever made the call is told of its failure.
    this.#noted = Promise.allSettled([before, noted]);
    await noted;
    const { late } = this.#disturbances;
    this.#answers += 1;
    for (let rounds = late[this.#answers % late.length] ?? 0; rounds > 0; rounds -= 1) await nextRound();
    return answer;
  }

  /** Returns true if the store refuses the end of a turn that it would be given now. */
  refuses(): boolean {
    this.#ends += 1;
    return this.#disturbances.refused[this.#ends - 1] ?? false;
  }
}

/** The real store as one gateway has it. The model is told what each call has done before the gateway is. */
export class ObservedStore implements Observed {
  readonly #store: Store;
  readonly #model: TurnsModel;
  readonly #calls: Calls;
  readonly #unanswered = new Set<Promise<unknown>>();
  readonly #now: () => number;
  #cutOff = false;

  /** @param now the store's clock */
  constructor(store: Store, model: TurnsModel, calls: Calls, now: () => number) {
    this.#store = store;
    this.#model = model;
    this.#calls = calls;
    this.#now = now;
  }

  get unanswered(): number {
    return this.#unanswered.size;
  }

  /** Resolves once no call is under way. */
  async answered(): Promise<void> {
    while (this.#unanswered.size > 0) await Promise.allSettled(this.#unanswered);
  }

  /** As when the process ends: what was asked for is done, nobody gets the answer, and nothing more is asked. */
  cutOff(): void {
    this.#cutOff = true;
  }

  accept: Store['accept'] = (message, limits, claim) => {
    const leaseUntil = this.#now() + (claim?.leaseMs ?? 0);
    return this.#call(
      () => this.#store.accept(message, limits, claim),
      (outcome) => this.#model.accepted(message, outcome, leaseUntil),
    );
  };

  acceptAll: Store['acceptAll'] = (messages, limits, checkpoint) =>
    this.#call(
      () => this.#store.acceptAll(messages, limits, checkpoint),
      (outcomes) => {
        for (const [index, message] of messages.entries()) {
          const outcome = outcomes[index];
          if (outcome !== undefined) this.#model.accepted(message, outcome, 0);
        }
      },
    );

  claimTurns: Store['claimTurns'] = (claim) => {
    const { owner, leaseMs } = claim;
    const now = this.#now();
    return this.#call(
      () => this.#store.claimTurns(claim),
      (turns) => this.#model.claimed({ owner, now, leaseUntil: now + leaseMs }, turns),
    );
  };

  renewLeases: Store['renewLeases'] = (owner, leaseMs) => {
    const leaseUntil = this.#now() + leaseMs;
    return this.#call(
      () => this.#store.renewLeases(owner, leaseMs),
      () => this.#model.renewed(owner, leaseUntil),
    );
  };

  completeTurn: Store['completeTurn'] = (turn, reply, isAwaited) =>
    this.#end(
      turn,
      () => this.#store.completeTurn(turn, reply, isAwaited),
      (took) => this.#model.completed(turn, reply.text, took),
    );

  failTurn: Store['failTurn'] = (turn, error, retryInMs) => {
    const retryAt = retryInMs === null ? null : this.#now() + retryInMs;
    return this.#end(
      turn,
      () => this.#store.failTurn(turn, error, retryInMs),
      (took) => this.#model.failed(turn, error, retryAt, took),
    );
  };

  releaseTurn: Store['releaseTurn'] = (turn) =>
    this.#end(
      turn,
      () => this.#store.releaseTurn(turn),
      (took) => this.#model.released(turn, took),
    );

  putBackTurns: Store['putBackTurns'] = (turns) =>
    this.#call(
      () => this.#store.putBackTurns(turns),
      (count) => this.#model.putBack(turns, count),
    );

  cancelMessage: Store['cancelMessage'] = (id) =>
    this.#call(
      () => this.#store.cancelMessage(id),
      (outcome) => this.#model.cancelled(id, outcome),
    );

  cancelSession: Store['cancelSession'] = (session) =>
    this.#call(
      () => this.#store.cancelSession(session),
      (outcome) => this.#model.sessionCancelled(session, outcome),
    );

  retryDead: Store['retryDead'] = () => Promise.reject(new Error('No history has that.'));

  discardMessage: Store['discardMessage'] = () => Promise.reject(new Error('No history has that.'));

  reviseMessage: Store['reviseMessage'] = () => Promise.reject(new Error('No history has that.'));

  nextDueInMs: Store['nextDueInMs'] = (owner) =>
    this.#call(
      () => this.#store.nextDueInMs(owner),
      () => undefined,
    );

  message: Store['message'] = (id) =>
    this.#call(
      () => this.#store.message(id),
      () => undefined,
    );

  // Calls of agents, of which no history has any.
  setTurnWait: Store['setTurnWait'] = (...parameters) => this.#store.setTurnWait(...parameters);
  appendDeltas: Store['appendDeltas'] = (...parameters) => this.#store.appendDeltas(...parameters);
  history: Store['history'] = (...parameters) => this.#store.history(...parameters);
  putBlob: Store['putBlob'] = (...parameters) => this.#store.putBlob(...parameters);
  removeBlob: Store['removeBlob'] = (...parameters) => this.#store.removeBlob(...parameters);
  openBlob: Store['openBlob'] = (...parameters) => this.#store.openBlob(...parameters);
  record: Store['record'] = (...parameters) => this.#store.record(...parameters);
  putRecord: Store['putRecord'] = (...parameters) => this.#store.putRecord(...parameters);
  deleteRecord: Store['deleteRecord'] = (...parameters) => this.#store.deleteRecord(...parameters);

  #end(turn: TurnHold, call: () => Promise<boolean>, note: (took: boolean) => void): Promise<boolean> {
    return this.#call(() => {
      if (!this.#calls.refuses()) return call();
      this.#model.refused(turn);
      return Promise.reject(new StoreError('full', 'The disk is full.'));
    }, note);
  }

  async #call<Result>(call: () => Promise<Result>, note: (result: Result) => void): Promise<Result> {
    if (this.#cutOff) return never();
    const answer = this.#calls.make(call, note);
    this.#unanswered.add(answer);
    try {
      return await answer;
    } finally {
      this.#unanswered.delete(answer);
      if (this.#cutOff) await never();
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
