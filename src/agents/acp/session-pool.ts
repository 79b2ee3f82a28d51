import { AgentError, type AgentRequest } from '../agent.js';
import { onceAborted } from '../once-aborted.js';
import type { AcpSession } from './session.js';

export interface SessionPoolOptions {
  /** Processes at a time. */
  readonly limit: number;
  /** Time after which a process that runs no turn is ended, in milliseconds. */
  readonly idleMs: number;
  readonly open: (request: AgentRequest, signal: AbortSignal) => Promise<AcpSession>;
}

interface Held {
  /** The gateway's name of the session. */
  readonly name: string;
  readonly generation: number;
  /** Null: it is being opened. */
  session: AcpSession | null;
  state: 'busy' | 'idle' | 'ending';
  idleSince: number;
  /** Resolves once it may run a turn. */
  isClear: Promise<void>;
  /** It is to end after its turn. */
  isOver: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** The sessions of one agent that have a process. A session has one at most, and runs one turn at a time. */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  /** By the name of the gateway's session. */
  readonly #held = new Map<string, Held>();
  #closed = false;
  #changed: () => void = () => undefined;
  #change = this.#nextChange();

  constructor(options: SessionPoolOptions) {
    this.#options = options;
  }

  /**
   * Gives a turn its session, opened if there is none. Where there are as many as there may be, the one
   * that has been idle longest is ended first; if none is idle, it waits.
   *
   * @throws AgentError
   */
  async take(request: AgentRequest, signal: AbortSignal): Promise<AcpSession> {
    while (true) {
      if (signal.aborted) throw new AgentError('cancelled', 'the turn was cancelled before it began', true);
      const held = this.#held.get(request.session);
      if (held === undefined) {
        if (this.#makesRoom()) return this.#open(request, signal);
      } else if (held.state === 'idle') {
        if (held.session?.isUsable === false) held.state = 'ending';
        else if (held.generation === request.generation && held.session !== null) {
          clearTimeout(held.timer);
          held.state = 'busy';
          await held.isClear;
          if (!held.session.isUsable) held.state = 'ending';
          else if (!signal.aborted) return held.session;
          else this.give(held.session);
          continue;
        } else this.#end(held);
      }
      await this.#nextOrAborted(signal);
    }
  }

  /** The turn is over. The next one is not begun before `isClear` has resolved. */
  give(session: AcpSession, isClear: Promise<void> = Promise.resolve()): void {
    const held = [...this.#held.values()].find((each) => each.session === session);
    if (held === undefined || held.state !== 'busy') return;
    held.state = 'idle';
    held.idleSince = performance.now();
    held.isClear = isClear;
    if (this.#closed || held.isOver || !session.isUsable) this.#end(held);
    else held.timer = setTimeout(() => this.#end(held), this.#options.idleMs).unref();
    this.#changed();
  }

  /** The session was reset or deleted. */
  endSession(name: string): void {
    const held = this.#held.get(name);
    if (held?.state === 'idle') this.#end(held);
    else if (held !== undefined) held.isOver = true;
  }

  /** Ends each session once it runs no turn, and resolves when none is left. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const held of this.#held.values()) if (held.state === 'idle') this.#end(held);
    while (this.#held.size > 0) await this.#change;
  }

  /** True if there is room for one more. */
  #makesRoom(): boolean {
    const all = [...this.#held.values()];
    if (all.length < this.#options.limit) return true;
    if (all.some(({ state }) => state === 'ending')) return false;
    const [longest] = all
      .filter(({ state }) => state === 'idle')
      .toSorted((a, b) => a.idleSince - b.idleSince);
    if (longest !== undefined) this.#end(longest);
    return false;
  }

  async #open(request: AgentRequest, signal: AbortSignal): Promise<AcpSession> {
    const { session: name, generation } = request;
    const held: Held = {
      name,
      generation,
      session: null,
      state: 'busy',
      idleSince: 0,
      isClear: Promise.resolve(),
      isOver: false,
      timer: undefined,
    };
    this.#held.set(name, held);
    try {
      held.session = await this.#options.open(request, signal);
    } catch (error) {
      this.#forget(held);
      throw error;
    }
    void held.session.ended.then(() => this.#forget(held));
    return held.session;
  }

  #end(held: Held): void {
    clearTimeout(held.timer);
    held.state = 'ending';
    void held.session?.end();
  }

  #forget(held: Held): void {
    clearTimeout(held.timer);
    if (this.#held.get(held.name) === held) this.#held.delete(held.name);
    this.#changed();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        this.#change = this.#nextChange();
        resolve();
      };
    });
  }

  async #nextOrAborted(signal: AbortSignal): Promise<void> {
    const { aborted, stop } = onceAborted(signal, undefined);
    await Promise.race([this.#change, aborted]);
    stop();
  }
}
