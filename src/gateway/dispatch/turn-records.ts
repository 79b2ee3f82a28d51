import type { Log } from '../../log/log.js';
import type { MessageState, Reply } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import type { WorkLoop } from '../work/work-loop.js';
import { mostPutBacks, type RetrySettings, retryDelay, type TurnFailure, turnFields } from './policy.js';

export interface TurnRecordsOptions {
  readonly store: Pick<Store, 'completeTurn' | 'failTurn' | 'putBackTurns' | 'releaseTurn' | 'message'>;
  readonly work: WorkLoop<Turn>;
  readonly log: Log;
  readonly settings: () => RetrySettings;
  /** True if the turn's agent may run it again once it has begun. */
  readonly isRepeatable: (turn: Turn) => boolean;
  /** True if somebody waits for its end. */
  readonly isAwaited: (turn: Turn) => boolean;
  readonly onChange: (turn: Turn, state: MessageState) => void;
  /** The write of its end has begun, for which somebody waits. */
  readonly onEnds: (turn: Turn) => void;
}

/** Writes to the store how turns end, and tells it in the log. */
export class TurnRecords {
  readonly counts = { replied: 0, failed: 0, dead: 0 };
  readonly #options: TurnRecordsOptions;
  /** To be queued again. True: cut off by the drain. False: claimed while it began, or its end could not be written. */
  readonly #unfinished = new Map<Turn, boolean>();

  constructor(options: TurnRecordsOptions) {
    this.#options = options;
  }

  /** Turns that are claimed until `putBack`. */
  get unfinished(): number {
    return this.#unfinished.size;
  }

  /** Counts its tries, as the others do. */
  replied(turn: Turn, reply: Reply): Promise<number> {
    const { store, log, isAwaited, onEnds } = this.#options;
    return this.#write(turn, async () => {
      const isWatched = isAwaited(turn);
      const completed = store.completeTurn(turn, reply, isWatched);
      if (isWatched) onEnds(turn);
      if (!(await completed)) return false;
      this.counts.replied += 1;
      log.debug('A turn has its reply.', { ...turnFields(turn), SD_GATEWAY_REPLY: reply.text });
      this.notify(turn, 'replied');
      return true;
    });
  }

  failed(turn: Turn, failure: TurnFailure): Promise<number> {
    return this.#write(turn, () => this.#fail(turn, failure));
  }

  /** Puts the turn back to the front of the queue; the attempt doesn't count. */
  notStarted(turn: Turn): Promise<number> {
    return this.#write(turn, async () => {
      if ((await this.#options.store.putBackTurns([{ ...turn, cutOff: false }])) === 0) return false;
      this.notify(turn, 'queued');
      return true;
    });
  }

  /** The message was cancelled. */
  released(turn: Turn): Promise<number> {
    return this.#write(turn, () => this.#options.store.releaseTurn(turn));
  }

  /** `cutOff`: it had begun. */
  leave(turn: Turn, { cutOff }: { readonly cutOff: boolean }): void {
    this.#unfinished.set(turn, cutOff);
  }

  /** Gives how many the store has queued again. */
  async putBack(): Promise<number> {
    const { store, log, settings } = this.#options;
    // The oldest message first, as the store keeps the order given.
    const turns = [...this.#unfinished].sort(([a], [b]) => a.acceptedAt - b.acceptedAt || a.seq - b.seq);
    if (turns.length === 0) return 0;
    const count = await store.putBackTurns(turns.map(([turn, cutOff]) => ({ ...turn, cutOff })));
    for (const [turn, cutOff] of turns) {
      if (cutOff) {
        const times = `${turn.putBacks + 1} of ${mostPutBacks(settings())} times (dispatch.max_attempts)`;
        log.notice(`The stop cut a turn off, which is put back: ${times}`, turnFields(turn));
      }
      this.notify(turn, 'queued');
    }
    return count;
  }

  notify(turn: Turn, state: MessageState): void {
    const { work, onChange } = this.#options;
    work.notify(() => onChange(turn, state), turnFields(turn));
  }

  noteLostClaim(turn: Turn): void {
    this.#options.log.warning(
      'The lease on a turn ran out before it was renewed, and another gateway has the turn now; what was done here is dropped.',
      turnFields(turn),
    );
  }

  async #fail(turn: Turn, failure: TurnFailure): Promise<boolean> {
    const { store, work, log, settings, isRepeatable } = this.#options;
    const repeatable = isRepeatable(turn);
    const retry = failure.retry && repeatable;
    const delay = retryDelay({ attempt: turn.attempt, retry }, settings());
    const message = repeatable ? failure.message : `${failure.message} (agent.retry is "never")`;
    if (!(await store.failTurn(turn, message, delay))) return false;
    this.counts.failed += 1;
    if (delay === null) this.counts.dead += 1;
    else work.claims.dueIn(delay);
    const priority = delay === null ? 'err' : 'warning';
    const next = delay === null ? 'its message is dead' : `tried again in ${delay / 1_000} s`;
    log[priority](`Attempt ${turn.attempt} of a turn failed, ${next}: ${message}`, turnFields(turn));
    this.notify(turn, delay === null ? 'dead' : 'queued');
    return true;
  }

  async #write(turn: Turn, write: () => Promise<boolean>): Promise<number> {
    const { work, log, isRepeatable } = this.#options;
    const { result, tries } = await work.write(write);
    if (result === 'claim-lost' && !(await this.#isCancelled(turn))) this.noteLostClaim(turn);
    if (result === 'given-up') {
      const repeatable = isRepeatable(turn);
      if (repeatable) this.leave(turn, { cutOff: false });
      const next = repeatable ? 'the turn is run again' : 'the next start sets its message aside';
      log.err(
        `The store did not take the end of a turn before the gateway had to stop; ${next}.`,
        turnFields(turn),
      );
    }
    return tries;
  }

  /** True if that is why the store did not take the end of the turn. */
  async #isCancelled(turn: Turn): Promise<boolean> {
    const { store, log } = this.#options;
    try {
      // Not by StoreCalls: nothing comes of it later that would show that a trouble is over.
      return (await store.message(turn.messageId))?.state === 'cancelled';
    } catch (error) {
      const reason = errorMessage(error);
      log.warning(`Why the store did not take the end of a turn can’t be told: ${reason}`, turnFields(turn));
      return false;
    }
  }
}
