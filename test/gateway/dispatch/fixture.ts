import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuid } from 'uuid';
import {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentReply,
  type AgentRequest,
} from '../../../src/agents/agent.js';
import type { TurnAgents } from '../../../src/gateway/dispatch/agents.js';
import type { DispatchSettings } from '../../../src/gateway/dispatch/dispatcher.js';
import type { Clock } from '../../../src/lifecycle/effects/clock.js';
import type { Log } from '../../../src/log/log.js';
import type { Message, MessageState } from '../../../src/store/messages.js';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.js';
import type { Store } from '../../../src/store/store.js';
import type { Turn } from '../../../src/store/turns.js';

/** Settings of a dispatcher, and of its only agent. */
export type Settings = DispatchSettings & { readonly timeout: number; readonly repeatable: boolean };

export const settings: Settings = {
  concurrency: 2,
  max_attempts: 3,
  retry_delay: 1_000,
  lease: 30_000,
  timeout: 60_000,
  repeatable: true,
  policy: 'queue',
  collect_limit: 100,
};

/** Agents by name; the one called "default" stands for all others. */
export function agentsNamed(
  byName: Readonly<Record<string, Agent>> & { readonly default: Agent },
  { timeout, repeatable }: Pick<Settings, 'timeout' | 'repeatable'> = settings,
  concurrency: Readonly<Record<string, number>> = {},
): TurnAgents {
  return {
    names: Object.keys(byName),
    of: (name) => ({
      name: name ?? 'default',
      agent: byName[name ?? 'default'] ?? byName.default,
      timeout,
      repeatable,
      concurrency: concurrency[name ?? 'default'] ?? null,
    }),
    begun: () => undefined,
    ended: () => undefined,
  };
}

/** The real store in a directory of its own. `now`: its clock. */
export async function openStore(now: () => number = Date.now) {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-store-'));
  const { store } = await openSqliteStore({
    path: join(directory, 'gateway.db'),
    busyTimeout: 5_000,
    maxAttempts: 3,
    now,
  });
  return {
    store,
    directory,
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export async function post(store: Store, session: string, text: string): Promise<Message> {
  const outcome = await store.accept(
    {
      id: uuid(),
      session,
      text,
      metadata: {},
      replyTo: null,
      idempotencyKey: null,
      fingerprint: new Uint8Array(0),
      channel: 'test',
    },
    { session: 10_000, total: 10_000 },
  );
  if (outcome.outcome !== 'accepted') throw new Error(`The message was not accepted: ${outcome.outcome}`);
  return outcome.message;
}

/** Records what is logged, for a test to look at. */
export function recordingLog() {
  const records: { readonly priority: string; readonly message: string }[] = [];
  const at = (priority: string) => (message: string) => void records.push({ priority, message });
  const log: Log = {
    crit: at('crit'),
    err: at('err'),
    warning: at('warning'),
    notice: at('notice'),
    info: at('info'),
    debug: at('debug'),
  };
  return { log, records };
}

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Calls what falls due, in its order. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  get timers(): number {
    return this.#timers.size;
  }
}

/** Something that tests wait for: the next value that fits. */
export class Occurrences<Value> {
  readonly all: Value[] = [];
  readonly #waiting = new Set<() => void>();

  add(value: Value): void {
    this.all.push(value);
    for (const check of [...this.#waiting]) check();
  }

  /** Resolves once `fits` is true of what has occurred so far. */
  until(fits: (all: readonly Value[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!fits(this.all)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

export interface Run {
  readonly request: AgentRequest;
  readonly signal: AbortSignal;
  reply(text: string): void;
  fail(error: AgentError): void;
}

/** An agent whose turns end when the test says so; it honours its signal as an agent has to. */
export class HeldAgent implements Agent {
  readonly type = 'held';
  readonly runs = new Occurrences<Run>();

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    yield { type: 'end', reply: await this.#turn(request, signal) };
  }

  #turn(request: AgentRequest, signal: AbortSignal): Promise<AgentReply> {
    return new Promise((resolve, reject) => {
      const run: Run = {
        request,
        signal,
        reply: (text) => resolve({ text, metadata: {} }),
        fail: reject,
      };
      signal.addEventListener('abort', () =>
        reject(new AgentError('cancelled', 'The turn was ended.', true)),
      );
      this.runs.add(run);
    });
  }

  /** Resolves with the run of this number, from 0, once it has begun. */
  async nth(index: number): Promise<Run> {
    await this.runs.until((runs) => runs.length > index);
    const run = this.runs.all[index];
    if (run === undefined) throw new Error('unreachable');
    return run;
  }
}

export interface Change {
  readonly turn: Turn;
  readonly state: MessageState;
}
