import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Message, type SessionPolicy, webhookTarget } from '../../../src/store/messages.js';
import { propertyRuns } from '../../support/properties.js';
import { Gateways, lease, type Plan, shortTime } from './gateways.js';
import type { Item } from './turns-model.js';

/**
 * One step of a history: numbers pick among what there is to pick from. `lingers`: the agent does not end when it is told
 * to. `drop`: a gateway is gone from one moment to the next; `crash`: all are, and the store is opened again.
 */
type Step =
  | {
      readonly kind: 'post';
      readonly gateway: number;
      readonly session: string;
      readonly count: number;
      readonly lingers: boolean;
    }
  | { readonly kind: 'end a turn'; readonly pick: number; readonly how: 'reply' | 'retry' | 'never' }
  | { readonly kind: 'cancel'; readonly gateway: number; readonly pick: number }
  | { readonly kind: 'cancel session'; readonly gateway: number; readonly session: string }
  | { readonly kind: 'pass'; readonly milliseconds: number }
  | { readonly kind: 'rest' | 'crash' }
  | { readonly kind: 'stop'; readonly gateway: number; readonly patience: number }
  | { readonly kind: 'drop'; readonly gateway: number };

/** The policy of each session; null is the default, which is another one in each history. */
const policies: Readonly<Record<string, SessionPolicy | null>> = {
  a: null,
  b: null,
  queues: 'queue',
  interrupts: 'interrupt',
  collects: 'collect',
};
const session = fc.constantFrom(...Object.keys(policies));
const gateway = fc.nat({ max: 1 });
const pick = fc.nat({ max: 20 });
const how = fc.oneof(
  { weight: 3, arbitrary: fc.constant('reply' as const) },
  { weight: 3, arbitrary: fc.constant('retry' as const) },
  { weight: 1, arbitrary: fc.constant('never' as const) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('post' as const),
      gateway,
      session,
      count: fc.integer({ min: 1, max: 3 }),
      lingers: fc.boolean(),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('end a turn' as const), pick, how }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), gateway, pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel session' as const), gateway, session }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      milliseconds: fc.integer({ min: 1, max: shortTime }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rest' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('stop' as const),
      gateway,
      patience: fc.constantFrom(0, 500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), gateway }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
);

/** When the next step is taken: at once, after a round of the event loop, or once nothing happens any more. */
const then = fc.constantFrom('at once' as const, 'soon' as const, 'quiet' as const);

const plan: fc.Arbitrary<Plan> = fc.record({
  gateways: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(2) }),
  settings: fc.record({
    concurrency: fc.integer({ min: 1, max: 4 }),
    max_attempts: fc.integer({ min: 1, max: 3 }),
    retry_delay: fc.constantFrom(0, 400),
    lease: fc.constant(lease),
    policy: fc.constantFrom('queue' as const, 'interrupt' as const, 'collect' as const),
    collect_limit: fc.integer({ min: 2, max: 4 }),
    timeout: fc.constant(1_000_000_000),
    repeatable: fc.oneof(
      { weight: 5, arbitrary: fc.constant(true) },
      { weight: 1, arbitrary: fc.constant(false) },
    ),
  }),
  policies: fc.constant(policies),
  disturbances: fc.record({
    refused: fc.array(fc.boolean(), { maxLength: 10 }),
    late: fc.array(fc.nat({ max: 2 }), { maxLength: 6 }),
  }),
});

const history = fc.array(fc.record({ step, then }), { minLength: 1, maxLength: 50, size: 'max' });

const runs = propertyRuns(10);
/** In milliseconds. */
const longest = Math.max(60_000, 2_000 * runs);

test(
  'whatever clients, agents and gateways do, each turn is run in its order, by itself, and to its own end',
  async () => {
    await fc.assert(
      fc.asyncProperty(plan, history, async (plan, history) => {
        const gateways = new Gateways(plan);
        try {
          await gateways.open();
          for (const [index, { step, then }] of history.entries()) {
            await take(gateways, step, index);
            if (then === 'soon') await new Promise((resolve) => setImmediate(resolve));
            if (then === 'quiet') await gateways.quiet();
            expect(gateways.model.violations).toEqual([]);
          }
          await gateways.finish();
          expect(gateways.model.violations).toEqual([]);
          const { messages, counts } = await gateways.stored();
          for (const [index, item] of gateways.model.items.entries()) expectStored(messages[index], item);
          expect(counts).toMatchObject({ queued: 0, running: 0 });
        } finally {
          await gateways.remove();
        }
      }),
      // So that a history that hangs is told of.
      {
        numRuns: runs,
        timeout: 10_000,
        interruptAfterTimeLimit: 0.75 * longest,
        markInterruptAsFailure: true,
      },
    );
  },
  longest,
);

async function take(gateways: Gateways, step: Step, index: number): Promise<void> {
  const { runs } = gateways.agents;
  switch (step.kind) {
    case 'post': {
      const { gateway, session, count, lingers } = step;
      const replyTo = session === 'b' ? webhookTarget('https://receiver.example/') : null;
      for (let number = 1; number <= count; number += 1) {
        const text = `${session} by step ${index}, ${number}`;
        gateways.post(gateway, session, { text, replyTo }, lingers);
      }
      return;
    }
    case 'end a turn':
      runs[step.pick % Math.max(runs.length, 1)]?.end(step.how);
      return;
    case 'cancel': {
      // From the newest on, as most of what is old has come to its end.
      const id = gateways.sent.at(-1 - (step.pick % Math.max(gateways.sent.length, 1)));
      if (id !== undefined) gateways.cancel(step.gateway, id);
      return;
    }
    case 'cancel session':
      return gateways.cancelSession(step.gateway, step.session);
    case 'pass':
      return gateways.pass(step.milliseconds);
    case 'rest':
      return gateways.rest();
    case 'stop':
      return gateways.stop(step.gateway, step.patience);
    case 'drop':
      return gateways.drop(step.gateway);
    case 'crash':
      return gateways.crash();
  }
}

function expectStored(message: Message | null | undefined, item: Item): void {
  const { end } = item.partOf ?? item;
  expect(message).toMatchObject({
    id: item.id,
    seq: item.seq,
    state: item.partOf === null ? end?.state : 'collected',
    attempts: item.attempts,
    reply: end?.state === 'replied' ? { text: end.reply } : null,
    collectedIn: item.partOf === null ? null : { id: item.partOf.id, state: end?.state },
  });
  if (item.end?.state !== 'dead') return;
  for (const part of item.end.error) expect(message?.error).toContain(part);
}
