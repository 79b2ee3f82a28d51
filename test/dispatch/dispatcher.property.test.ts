import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Agent, AgentError } from '../../src/agents/agent.js';
import { Dispatcher } from '../../src/gateway/dispatcher.js';
import { Intake } from '../../src/gateway/intake.js';
import { type MessageState, type Store, StoreError } from '../../src/store/store.js';
import { newMessage, noLimits } from '../store/samples.js';
import { openStore, post, recordingLog } from './fixture.js';

const sessions = ['a', 'b', 'c', 'd'];

/** How one message's attempts end; more attempts than these reply. */
const attempts = fc.array(fc.constantFrom('retry' as const, 'never' as const, 'reply' as const), {
  maxLength: 4,
});

const plan = fc.record({
  concurrency: fc.integer({ min: 1, max: 5 }),
  /** Two gateways on one store share the work. */
  gateways: fc.integer({ min: 1, max: 2 }),
  messages: fc.array(
    fc.record({
      session: fc.constantFrom(...sessions),
      attempts,
      /** While the gateways run; the others wait for them. */
      arrives: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  ),
  /** After how many turns begun a gateway is drained at once and another takes its place. */
  restarts: fc.array(fc.integer({ min: 1, max: 10 }), { maxLength: 2 }),
  /** Which of the first writes of a turn's end the store refuses once. */
  faults: fc.array(fc.boolean(), { maxLength: 8 }),
});

test('order in a session, one turn of it at a time, no more than the concurrency, and nothing lost', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ concurrency, gateways, messages, restarts, faults }) => {
      const opened = await openStore();
      try {
        const faulty = refusing(opened.store, faults);
        const watched = new Watch(messages.map((message) => message.attempts));
        for (const [index, message] of messages.entries()) {
          if (message.arrives) continue;
          const { id } = await post(opened.store, message.session, String(index));
          watched.accepted[index] = id;
        }
        const { log } = recordingLog();
        let starts = 0;
        const start = () => {
          starts += 1;
          const counted = { running: 0 };
          const dispatch = new Dispatcher({
            store: faulty,
            agent: watched.agent(counted, concurrency),
            log,
            owner: `gateway ${starts}`,
            settings: {
              concurrency,
              max_attempts: 3,
              retry_delay: 0,
              lease: 600_000,
              timeout: 600_000,
              repeatable: true,
              policy: 'queue',
              collect_limit: 100,
            },
            onChange: (turn, state) => watched.change(turn.messageId, state),
          });
          dispatch.wake();
          return dispatch;
        };
        const running = Array.from({ length: gateways }, start);
        const arrivals = messages.map(async ({ session, arrives }, index) => {
          const dispatcher = running[index % gateways];
          if (!arrives || dispatcher === undefined) return;
          // Some of them come together.
          for (let turn = 0; turn < index % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
          const intake = new Intake({ store: faulty, dispatcher, onAccepted: () => undefined });
          const outcome = await intake.accept(newMessage(session, { text: String(index) }), noLimits);
          if (outcome.outcome !== 'accepted') throw new Error(`It was ${outcome.outcome}.`);
          watched.accepted[index] = outcome.message.id;
        });
        for (const after of restarts) {
          await watched.begun(watched.count + after);
          await running.shift()?.drain(0);
          running.push(start());
        }
        await Promise.all(arrivals);
        // Who was drained meanwhile claims no more.
        for (const dispatch of running) dispatch.wake();
        await watched.allEnded();
        for (const dispatch of running) await dispatch.drain(60_000);

        expect(watched.violations).toEqual([]);
        for (const [index, id] of watched.accepted.entries()) {
          const message = await opened.store.message(id);
          expect(message?.state).toBe(expectedEnd(messages[index]?.attempts ?? []));
          if (message?.state === 'replied') expect(message.reply?.text).toBe(String(index));
        }
        expect(await opened.store.counts()).toMatchObject({ queued: 0, running: 0 });
      } finally {
        await opened.dispose();
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

function expectedEnd(ends: readonly ('retry' | 'never' | 'reply')[]): MessageState {
  for (const end of [...ends, 'reply'].slice(0, 3)) {
    if (end === 'reply') return 'replied';
    if (end === 'never') return 'dead';
  }
  return 'dead';
}

/** The real store, that refuses some of the writes once, as a full disk would. */
function refusing(store: Store, faults: readonly boolean[]): Store {
  const left = [...faults];
  const refuse = () => left.shift() === true;
  return new Proxy<Store>(store, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'completeTurn' && name !== 'failTurn') return value.bind(target);
      return (...parameters: unknown[]) =>
        refuse()
          ? Promise.reject(new StoreError('full', 'The disk is full.'))
          : Reflect.apply(value, target, parameters);
    },
  });
}

/** Sees each turn begin and end, and notes what must not be. */
class Watch {
  readonly accepted: string[] = [];
  readonly violations: string[] = [];
  count = 0;
  readonly #ends: readonly (readonly ('retry' | 'never' | 'reply')[])[];
  readonly #busy = new Set<string>();
  readonly #lastSeq = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #waiting = new Set<() => void>();

  constructor(ends: readonly (readonly ('retry' | 'never' | 'reply')[])[]) {
    this.#ends = ends;
  }

  agent(counted: { running: number }, concurrency: number): Agent {
    return {
      type: 'watched',
      run: async (request, signal) => {
        const { session, seq } = request;
        this.count += 1;
        counted.running += 1;
        if (counted.running > concurrency) this.violations.push(`${counted.running} turns at a time`);
        if (this.#busy.has(session)) this.violations.push(`two turns of ${session} at a time`);
        if (seq < (this.#lastSeq.get(session) ?? 0)) this.violations.push(`${session} ${seq} out of order`);
        if (this.#ended.has(request.messageId)) this.violations.push(`${session} ${seq} after its end`);
        this.#busy.add(session);
        this.#lastSeq.set(session, seq);
        this.#check();
        await new Promise((resolve) => setImmediate(resolve));
        this.#busy.delete(session);
        counted.running -= 1;
        if (signal.aborted) throw new AgentError('cancelled', 'The turn was ended.', true);
        const end = this.#ends[Number(request.text)]?.[request.attempt - 1] ?? 'reply';
        if (end === 'reply') return { text: request.text, metadata: {} };
        throw new AgentError('exit-status', 'The program failed.', end === 'retry');
      },
    };
  }

  change(messageId: string, state: MessageState): void {
    if (state === 'replied' || state === 'dead') this.#ended.add(messageId);
    this.#check();
  }

  /** Until so many turns have begun, or none is left to begin. */
  begun(count: number): Promise<void> {
    return this.#until(() => this.count >= count || this.#ended.size === this.#ends.length);
  }

  allEnded(): Promise<void> {
    return this.#until(() => this.#ended.size === this.#ends.length);
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #check(): void {
    for (const check of [...this.#waiting]) check();
  }
}
