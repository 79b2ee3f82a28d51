import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../../src/store/deliveries.js';
import {
  type Message,
  type MessageState,
  type SessionPolicy,
  webhookTarget,
} from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import type { Turn } from '../../../src/store/turns.js';
import { propertyRuns, propertyTimeoutMs } from '../../support/properties.js';
import { at, claimDeliveries, claimTurns, failure, newMessage, noLimits, renewLeases } from '../samples.js';
import type { StoreFactory } from './store-contract.js';

/** One step of a history: numbers pick among what there is to pick from. */
type Step =
  | {
      readonly kind: 'accept';
      readonly session: string;
      readonly key: string | null;
      readonly reply: boolean;
      /** The claimant that would run it at once. */
      readonly claim: string | null;
    }
  | { readonly kind: 'claim'; readonly line: Line; readonly owner: string; readonly limit: number }
  | {
      readonly kind: 'end';
      readonly line: Line;
      readonly pick: number;
      readonly how: End;
    }
  /** An act of a person on a message, or on a whole session. */
  | { readonly kind: 'cancel' | 'retry dead' | 'discard'; readonly pick: number }
  | { readonly kind: 'cancel session'; readonly session: string }
  | { readonly kind: 'renew'; readonly owner: string }
  | { readonly kind: 'wait'; readonly time: number };
type Line = 'turn' | 'delivery';
/** `cut off`: put back by a stop that came while it ran. */
type End = 'complete' | 'retry' | 'dead' | 'put back' | 'cut off';
type Claimed =
  | { readonly line: 'turn'; readonly claim: Turn }
  | { readonly line: 'delivery'; readonly claim: Delivery };

/** The policy of each session; null: the default. */
const policies: Readonly<Record<string, SessionPolicy | null>> = {
  a: null,
  b: null,
  c: null,
  interrupts: 'interrupt',
  collects: 'collect',
};
const withPolicy = Object.keys(policies).filter((name) => policies[name] !== null);
const session = fc.constantFrom(...Object.keys(policies), 'collects');

const owner = fc.constantFrom('one', 'two');
const line = fc.constantFrom<Line>('turn', 'delivery');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('accept' as const),
      session,
      key: fc.option(fc.constantFrom('k', 'l', 'm'), { freq: 3 }),
      reply: fc.boolean(),
      claim: fc.option(owner),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      line,
      owner,
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      line,
      pick: fc.nat({ max: 1_000 }),
      how: fc.constantFrom(
        'complete' as const,
        'complete' as const,
        'retry' as const,
        'dead' as const,
        'put back' as const,
        'cut off' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('cancel' as const, 'retry dead' as const, 'discard' as const),
      pick: fc.nat({ max: 1_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('cancel session' as const),
      session,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('renew' as const), owner }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 300 }) }),
  },
);

interface Item {
  readonly id: string;
  readonly session: string;
  readonly seq: number;
  readonly key: string | null;
  readonly reply: boolean;
  state: MessageState;
  /** True if its turn ever began. */
  begun: boolean;
  collectedIn: string | null;
  replied: boolean;
  /** The item that waits to be posted. */
  outbox: 'reply' | 'notice' | null;
  attempts: Record<Line, number>;
  /** Stops that cut its turn off. */
  putBacks: number;
}

interface Hold {
  owner: string;
  epoch: number;
  until: number;
}

const lease = 100;
const retryDelay = 50;
const collectLimit = 3;

/** Models a store's duties in the plainest terms: lists of messages, and who holds which. */
class Model {
  now = 1_000;
  readonly items: Item[] = [];
  readonly holds = new Map<string, Hold>();
  readonly retries = new Map<string, number>();

  static key = (line: Line, item: Item) => `${line} ${item.id}`;

  /** By line and session: the item whose turn it is, once there is one. */
  readonly #heads = new Map<string, Item>();

  pending(line: Line, item: Item): boolean {
    if (line === 'delivery') return item.outbox !== null;
    // A cancelled one keeps its session until its turn has ended.
    return item.state === 'queued' || this.holds.has(Model.key(line, item));
  }

  /** The item of each session that comes next in the line: one that came to be it stays it until it is done with. */
  heads(line: Line): Item[] {
    const sessions = [...new Set(this.items.map(({ session }) => session))];
    return sessions.flatMap((session) => {
      const place = `${line} ${session}`;
      const present = this.#heads.get(place);
      if (present !== undefined && this.pending(line, present)) return [present];
      const next = this.items.find((item) => item.session === session && this.pending(line, item));
      if (next === undefined) this.#heads.delete(place);
      else this.#heads.set(place, next);
      return next === undefined ? [] : [next];
    });
  }

  /** Makes one turn of the head of a session that collects; gives the message that is run. */
  collect(head: Item): Item {
    if (policies[head.session] !== 'collect' || head.begun) return head;
    const behind = this.items.filter(
      (item) => item.session === head.session && item.seq > head.seq && item.state === 'queued',
    );
    const end = behind.findIndex((item) => item.begun || item.reply !== head.reply);
    const turn = [head, ...behind.slice(0, end === -1 ? undefined : end)].slice(0, collectLimit);
    const last = turn.at(-1) ?? head;
    for (const item of turn.slice(0, -1)) {
      item.state = 'collected';
      item.collectedIn = last.id;
    }
    this.#heads.set(`turn ${head.session}`, last);
    return last;
  }

  claimable(line: Line, owner: string): Item[] {
    return this.heads(line).filter((item) => {
      const hold = this.holds.get(Model.key(line, item));
      if (hold !== undefined) return hold.owner !== owner && hold.until <= this.now;
      return (this.retries.get(Model.key(line, item)) ?? 0) <= this.now;
    });
  }
}

async function apply(store: Store, model: Model, claimed: Claimed[], step: Step): Promise<void> {
  switch (step.kind) {
    case 'wait':
      model.now += step.time;
      return;
    case 'accept':
      return accept(store, model, claimed, step);
    case 'renew': {
      const until = model.now + lease;
      for (const hold of model.holds.values()) if (hold.owner === step.owner) hold.until = until;
      await renewLeases(store, step.owner, until);
      return;
    }
    case 'claim':
      await claim(store, model, claimed, step);
      return;
    case 'cancel':
    case 'retry dead':
    case 'discard': {
      const item = model.items[step.pick % Math.max(1, model.items.length)];
      if (item !== undefined) await intervene(store, model, item, step.kind);
      return;
    }
    case 'cancel session': {
      const items = model.items.filter(({ session }) => session === step.session);
      const cancelled = await at(model.now, store).cancelSession(step.session);
      expect(cancelled?.messages.map(({ seq }) => seq) ?? []).toEqual(
        items.filter(({ state }) => state === 'queued' || state === 'running').map(({ seq }) => seq),
      );
      for (const item of items) cancelInModel(model, item);
      return;
    }
    case 'end': {
      const candidates = claimed.filter((entry) => entry.line === step.line);
      const picked = candidates[step.pick % Math.max(1, candidates.length)];
      if (picked !== undefined) await end(store, model, picked, step.how);
    }
  }
}

async function accept(
  store: Store,
  model: Model,
  claimed: Claimed[],
  step: Step & { kind: 'accept' },
): Promise<void> {
  const sent = newMessage(step.session, {
    idempotencyKey: step.key,
    replyTo: step.reply ? webhookTarget('https://receiver.example/') : null,
  });
  const until = model.now + lease;
  const arrival = step.claim === null ? undefined : { owner: step.claim, leaseMs: lease };
  const outcome = await at(model.now, store).accept(sent, noLimits, arrival);
  const same = model.items.find(
    (item) => step.key !== null && item.key === step.key && item.session === step.session,
  );
  if (same !== undefined) {
    expect(outcome).toMatchObject({ outcome: 'repeated', message: { id: same.id, state: same.state } });
    return;
  }
  const seq = model.items.filter((item) => item.session === step.session).length + 1;
  if (outcome.outcome !== 'accepted') throw new Error(`It was ${outcome.outcome}.`);
  expect(outcome.message).toMatchObject({ id: sent.id, seq, state: outcome.turn ? 'running' : 'queued' });
  const interrupted = model.items.filter(
    ({ session, state }) =>
      policies[session] === 'interrupt' &&
      session === step.session &&
      (state === 'queued' || state === 'running'),
  );
  expect(outcome.interrupted).toEqual(
    interrupted.map(({ id, seq, state }) => ({ id, seq, running: state === 'running' })),
  );
  for (const item of interrupted) cancelInModel(model, item);
  const item: Item = {
    id: sent.id,
    session: step.session,
    seq,
    key: step.key,
    reply: step.reply,
    state: 'queued',
    begun: false,
    collectedIn: null,
    replied: false,
    outbox: null,
    attempts: { turn: 0, delivery: 0 },
    putBacks: 0,
  };
  model.items.push(item);
  settleHeads(model);
  const { turn } = outcome;
  // Nothing that could be run waits before it, in its session or in another.
  const waits = model.heads('turn').filter((head) => {
    const key = Model.key('turn', head);
    return !model.holds.has(key) && !model.retries.has(key) && head !== item;
  });
  const first = model.heads('turn').includes(item);
  expect(turn !== null).toBe(step.claim !== null && first && waits.length === 0);
  if (turn === null) return;
  item.state = 'running';
  item.begun = true;
  item.attempts.turn = 1;
  model.holds.set(Model.key('turn', item), { owner: turn.owner, epoch: turn.epoch, until });
  claimed.push({ line: 'turn', claim: turn });
}

/** So that the model knows who came first. */
function settleHeads(model: Model): void {
  for (const line of ['turn', 'delivery'] as const) model.heads(line);
}

function cancelInModel(model: Model, item: Item): void {
  if (item.state !== 'queued' && item.state !== 'running') return;
  item.state = 'cancelled';
  model.retries.delete(Model.key('turn', item));
  settleHeads(model);
}

async function intervene(
  store: Store,
  model: Model,
  item: Item,
  kind: 'cancel' | 'retry dead' | 'discard',
): Promise<void> {
  if (kind === 'cancel') {
    const outcome = await at(model.now, store).cancelMessage(item.id);
    const possible = item.state === 'queued' || item.state === 'running' || item.state === 'cancelled';
    expect(outcome?.outcome).toBe(possible ? 'cancelled' : 'settled');
    cancelInModel(model, item);
    return;
  }
  if (kind === 'discard') return discard(store, model, item);
  const isDead = item.state === 'dead';
  const noticeHeld = item.outbox === 'notice' && model.holds.has(Model.key('delivery', item));
  const outcome = await at(model.now, store).retryDead(item.id);
  expect(outcome?.outcome).toBe(!isDead ? 'not-dead' : noticeHeld ? 'busy' : 'done');
  if (!isDead || noticeHeld) return;
  model.retries.delete(Model.key('delivery', item));
  item.attempts.delivery = 0;
  if (item.replied) {
    item.state = 'replied';
    item.outbox = 'reply';
  } else {
    item.state = 'queued';
    item.outbox = null;
    item.attempts.turn = 0;
    item.putBacks = 0;
  }
  settleHeads(model);
}

async function discard(store: Store, model: Model, item: Item): Promise<void> {
  const key = Model.key('delivery', item);
  const waits = item.state === 'replied' && item.outbox === 'reply';
  const possible = item.state === 'dead' || item.state === 'cancelled' || waits;
  const busy = waits && model.holds.has(key);
  const outcome = await at(model.now, store).discardMessage(item.id);
  expect(outcome?.outcome).toBe(busy ? 'busy' : possible ? 'done' : 'not-dead');
  if (!possible || busy || item.state === 'cancelled') return;
  item.state = 'cancelled';
  // A notice has its last attempt at once.
  model.retries.delete(key);
  if (waits) item.outbox = null;
  settleHeads(model);
}

async function claim(
  store: Store,
  model: Model,
  claimed: Claimed[],
  step: { readonly line: Line; readonly owner: string; readonly limit: number },
): Promise<number> {
  const takenOver = model
    .claimable(step.line, step.owner)
    .filter((item) => model.holds.has(Model.key(step.line, item)));
  // The turn of a cancelled message whose owner is gone: nobody is to run it again.
  for (const item of takenOver) {
    if (step.line === 'turn' && item.state === 'cancelled') model.holds.delete(Model.key(step.line, item));
  }
  const expected = model.claimable(step.line, step.owner);
  // A claim with a small limit looks at as many expired leases as the store likes.
  const limit = takenOver.length > 0 ? Math.max(step.limit, expected.length, takenOver.length) : step.limit;
  const request = { owner: step.owner, limit, now: model.now, leaseUntil: model.now + lease };
  const got: Claimed[] =
    step.line === 'turn'
      ? (await claimTurns(store, { ...request, collectLimit })).map((claim) => ({ line: 'turn', claim }))
      : (await claimDeliveries(store, request)).map((claim) => ({ line: 'delivery', claim }));
  expect(got).toHaveLength(Math.min(limit, expected.length));
  for (const entry of got) {
    // The head of its session, that nobody else runs, once.
    const head = expected.find(({ session }) => session === entry.claim.session);
    const item = head !== undefined && step.line === 'turn' ? model.collect(head) : head;
    if (item?.id !== entry.claim.messageId)
      throw new Error(`claimed ${entry.line} of ${entry.claim.session} ${entry.claim.seq}`);
    const collected = model.items.filter(({ collectedIn }) => collectedIn === item.id).map(({ seq }) => seq);
    expect(entry.claim.collected.map(({ seq }) => seq)).toEqual(collected);
    if (item === undefined || head === undefined) continue;
    expected.splice(expected.indexOf(head), 1);
    item.begun ||= step.line === 'turn';
    item.attempts[step.line] += 1;
    expect(entry.claim).toMatchObject({ seq: item.seq, attempt: item.attempts[step.line] });
    if (entry.line === 'turn') {
      expect(entry.claim.putBacks).toBe(item.putBacks);
      item.state = 'running';
    }
    model.retries.delete(Model.key(step.line, item));
    model.holds.set(Model.key(step.line, item), {
      owner: step.owner,
      epoch: entry.claim.epoch,
      until: request.leaseUntil,
    });
    claimed.push(entry);
  }
  return got.length;
}

async function end(store: Store, model: Model, { line, claim }: Claimed, how: End): Promise<void> {
  const item = model.items.find(({ id }) => id === claim.messageId);
  if (item === undefined) throw new Error('A claim on a message that was never accepted.');
  const key = Model.key(line, item);
  const hold = model.holds.get(key);
  const held = hold?.owner === claim.owner && hold.epoch === claim.epoch;
  const retryInMs = how === 'retry' ? retryDelay : null;
  let took: boolean;
  if (how === 'complete') {
    took =
      line === 'turn'
        ? await at(model.now, store).completeTurn(claim, { text: `reply ${item.seq}`, metadata: {} })
        : await at(model.now, store).completeDelivery(claim);
  } else if (how === 'put back' || how === 'cut off') {
    took =
      (line === 'turn'
        ? await at(model.now, store).putBackTurns([{ ...claim, cutOff: how === 'cut off' }])
        : await at(model.now, store).putBackDeliveries([claim])) === 1;
  } else {
    took =
      line === 'turn'
        ? await at(model.now, store).failTurn(claim, 'failed', retryInMs)
        : await at(model.now, store).failDelivery(claim, failure('failed', retryInMs));
  }
  const cancelled = line === 'turn' && item.state === 'cancelled';
  expect(took, `${how} a ${line} that is ${held ? 'held' : 'lost'}`).toBe(held && !cancelled);
  if (!held) return;
  model.holds.delete(key);
  await settle(model, item, line, how);
  settleHeads(model);
}

function settle(model: Model, item: Item, line: Line, how: End): void {
  const key = Model.key(line, item);
  // The turn of a cancelled message: nothing came of it.
  if (line === 'turn' && item.state === 'cancelled') return;
  // Nor is the notice of one that was discarded tried again.
  if (how === 'retry' && item.state === 'cancelled') {
    item.outbox = null;
    return;
  }
  if (how === 'put back' || how === 'cut off') item.attempts[line] -= 1;
  if (how === 'cut off' && line === 'turn') item.putBacks += 1;
  if (how === 'retry') model.retries.set(key, model.now + retryDelay);
  if (line === 'turn') {
    if (how === 'complete') {
      item.state = 'replied';
      item.replied = true;
      if (item.reply) item.outbox = 'reply';
    } else if (how === 'dead') {
      item.state = 'dead';
      if (item.reply) item.outbox = 'notice';
    } else {
      item.state = 'queued';
    }
  } else if (how === 'complete' || how === 'dead') {
    if (item.outbox === 'reply') item.state = how === 'dead' ? 'dead' : 'delivered';
    item.outbox = null;
  }
}

async function compare(store: Store, model: Model): Promise<void> {
  for (const session of new Set(model.items.map((item) => item.session))) {
    const items = model.items.filter((item) => item.session === session);
    const page = await store.sessionMessages(session, { limit: 1_000, after: null });
    const plain = (message: Message) => ({
      id: message.id,
      seq: message.seq,
      state: message.state,
      attempts: message.attempts,
      deliveryAttempts: message.delivery?.attempts ?? 0,
      replied: message.reply !== null,
      collectedIn: message.collectedIn?.id ?? null,
    });
    expect(page?.items.map(plain)).toMatchObject(
      items.map(({ id, seq, state, attempts, collectedIn }) => ({
        id,
        seq,
        state,
        collectedIn,
        attempts: attempts.turn,
        deliveryAttempts: attempts.delivery,
      })),
    );
  }
  const count = (state: MessageState) => model.items.filter((item) => item.state === state).length;
  expect(await store.counts()).toEqual({
    // Sessions with a policy of their own are there from the beginning.
    sessions: new Set([...model.items.map((item) => item.session), ...withPolicy]).size,
    queued: count('queued'),
    running: count('running'),
    replied: count('replied'),
    delivered: count('delivered'),
    dead: count('dead'),
    cancelled: count('cancelled'),
    collected: count('collected'),
    undelivered: model.items.filter(({ outbox }) => outbox !== null).length,
  });
}

/** A store and a model go through the same random histories and must agree at each step. */
export function storeModel(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} agrees with a model`, () => {
    test('order, one runner a session, nothing lost, nothing twice', {
      timeout: propertyTimeoutMs(60_000),
    }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120 }), async (steps) => {
          const factory = createFactory();
          try {
            const store = await factory.open({ maxAttempts: 1_000_000 });
            const model = new Model();
            const claimed: Claimed[] = [];
            for (const name of withPolicy) await at(model.now, store).setPolicy(name, policies[name] ?? null);
            for (const each of steps) await apply(store, model, claimed, each);
            await compare(store, model);

            // Whatever the history, everything comes to an end once it is worked off.
            let claims = 0;
            do {
              model.now += lease + retryDelay;
              claims = 0;
              for (const line of ['turn', 'delivery'] as const) {
                const before = claimed.length;
                claims += await claim(store, model, claimed, { line, owner: 'three', limit: 10 });
                for (const entry of claimed.slice(before)) await end(store, model, entry, 'complete');
              }
            } while (claims > 0);
            await compare(store, model);
            const { queued, running, undelivered } = await store.counts();
            expect({ queued, running, undelivered }).toEqual({ queued: 0, running: 0, undelivered: 0 });
          } finally {
            await factory.remove();
          }
        }),
        { numRuns: propertyRuns(8) },
      );
    });
  });
}
