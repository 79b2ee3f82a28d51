import type { AgentRequest } from '../../../src/agents/agent.js';
import type {
  CancelOutcome,
  NewMessage,
  SessionCancelled,
  SessionPolicy,
} from '../../../src/store/messages.js';
import type { AcceptOutcome, Turn, TurnHold, TurnToPutBack } from '../../../src/store/turns.js';

/** Settings that the promises depend on. */
export interface Rules {
  readonly policies: Readonly<Record<string, SessionPolicy>>;
  readonly maxAttempts: number;
  readonly collectLimit: number;
  readonly repeatable: boolean;
  /** The longest that what is due by the clock may wait, in milliseconds. */
  readonly lateness: number;
}

/** A message. */
export interface Item {
  readonly id: string;
  readonly session: string;
  readonly seq: number;
  readonly text: string;
  /** Attempts that count. */
  attempts: number;
  /** Ends of a gateway that its turn was under way at. */
  crashes: number;
  /** Stops that cut its turn off. */
  stops: number;
  hold: { readonly owner: string; readonly epoch: number; readonly attempt: number; until: number } | null;
  retryAt: number | null;
  /** Other messages in its turn; null: it has not begun. */
  parts: readonly Item[] | null;
  partOf: Item | null;
  end:
    | { readonly state: 'replied'; readonly reply: string }
    /** `error`: what its reason has in it. */
    | { readonly state: 'dead'; readonly error: readonly string[] }
    | { readonly state: 'cancelled' }
    | null;
}

/** A claim by the times at which it begins and ends, in milliseconds since the Unix epoch. */
export interface TimedClaim {
  readonly owner: string;
  readonly now: number;
  readonly leaseUntil: number;
}

/** The end of a turn by an agent: with this reply or error. */
export interface AgentEnd {
  readonly how: 'reply' | 'retry' | 'never' | 'cut off';
  readonly text: string;
  /** By which it was told to end. */
  readonly signal: AbortSignal;
}

/**
 * Models in plain lists the duty of gateways on one store to their messages. It is told of each call that the store
 * has answered, in the order in which the store has done them. It is also told what agents see, and notes what must
 * not be.
 */
export class TurnsModel {
  readonly violations: string[] = [];
  readonly items: Item[] = [];
  readonly #rules: Rules;
  readonly #ends = new Map<string, AgentEnd>();
  /** Ends of turns that the store has refused at least once. */
  readonly #refused = new Set<string>();
  readonly #gone = new Set<string>();
  /** By the epochs of claims. */
  readonly #attempts = new Map<number, number>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  must(holds: boolean, otherwise: string): void {
    if (!holds) this.violations.push(otherwise);
  }

  // Deeds of the store.

  accepted(message: NewMessage, outcome: AcceptOutcome, leaseUntil: number): void {
    const { id, session, text } = message;
    if (outcome.outcome !== 'accepted') {
      this.violations.push(`${text} was ${outcome.outcome}`);
      return;
    }
    const interrupted = this.#rules.policies[session] === 'interrupt' ? this.#open(session) : [];
    this.#cancelAll(`${text} interrupted`, interrupted, outcome.interrupted);
    const seq = this.items.filter((item) => item.session === session).length + 1;
    this.must(outcome.message.seq === seq, `${text} is number ${outcome.message.seq} and not ${seq}`);
    const open = { hold: null, retryAt: null, parts: null, partOf: null, end: null };
    this.items.push({ id, session, seq, text, attempts: 0, crashes: 0, stops: 0, ...open });
    if (outcome.turn !== null) this.#claim(outcome.turn, leaseUntil);
  }

  claimed({ owner, now, leaseUntil }: TimedClaim, turns: readonly Turn[]): void {
    const alone = this.#held().length === 1;
    for (const item of this.#held()) {
      if (item.hold === null || item.hold.owner === owner || item.hold.until > now) continue;
      this.must(this.#gone.has(item.hold.owner), `the lease of ${item.hold.owner} ran out`);
      this.#takeBack(item, alone);
    }
    for (const turn of turns) {
      const waits = this.#item(turn.messageId)?.retryAt ?? 0;
      this.must(waits <= now, `${turn.text} was tried again before its time`);
      this.#claim(turn, leaseUntil);
    }
  }

  renewed(owner: string, until: number): void {
    for (const { hold } of this.#held()) if (hold?.owner === owner) hold.until = until;
  }

  completed(turn: TurnHold, reply: string, took: boolean): void {
    const item = this.#letGo(turn, took);
    if (item === null) return;
    const end = this.#ends.get(this.#keyOf(turn));
    this.must(end?.how === 'reply' && end.text === reply, `${item.text} got the reply "${reply}"`);
    item.end = { state: 'replied', reply };
  }

  failed(turn: TurnHold, error: string, retryAt: number | null, took: boolean): void {
    const item = this.#letGo(turn, took);
    if (item === null) return;
    const { maxAttempts, repeatable } = this.#rules;
    const end = this.#ends.get(this.#keyOf(turn));
    if (repeatable && wasCutOff(end)) {
      this.#stopped(item, error, retryAt);
      return;
    }
    this.must(
      end !== undefined && end.how !== 'reply',
      `${item.text} failed, and its agent ended with "${end?.how}"`,
    );
    const reason = repeatable ? end?.text : `${end?.text} (agent.retry is "never")`;
    this.must(error === reason, `${item.text} failed with "${error}" and not with "${reason}"`);
    const again = repeatable && end?.how === 'retry' && item.attempts < maxAttempts;
    this.must((retryAt !== null) === again, `${item.text} ${again ? 'is dead' : 'is tried again'}`);
    if (retryAt === null) item.end = { state: 'dead', error: [error] };
    item.retryAt = retryAt;
  }

  /** By the last stop that may cut its turn off. */
  #stopped(item: Item, error: string, retryAt: number | null): void {
    const mostStops = Math.max(this.#rules.maxAttempts, 3);
    item.stops += 1;
    const reason = `${item.stops} of ${mostStops} times (dispatch.max_attempts)`;
    const isLast = item.stops >= mostStops && retryAt === null && error.includes(reason);
    this.must(isLast, `${item.text} was cut off by stop ${item.stops}, and failed with "${error}"`);
    item.end = { state: 'dead', error: [reason] };
  }

  /**
   * A turn that its agent has ended by itself is put back only where the store would not take its end; or, where it has
   * no reply, where it was to be cut off just then.
   */
  putBack(turns: readonly TurnToPutBack[], count: number): void {
    let expected = 0;
    for (const turn of turns) {
      const item = this.#item(turn.messageId);
      if (item === undefined || !stands(item, turn)) continue;
      item.hold = null;
      if (item.end !== null) continue;
      const end = this.#ends.get(this.#keyOf(turn));
      this.must(
        end === undefined || wasCutOff(end) || this.#refused.has(this.#keyOf(turn)),
        `${item.text} was put back, and its agent ended with "${end?.how}"`,
      );
      const counts = wasCutOff(end) && !this.#refused.has(this.#keyOf(turn));
      this.must((turn.cutOff ?? false) === counts, `that ${item.text} was cut off counts: ${turn.cutOff}`);
      if (counts) item.stops += 1;
      const mostStops = Math.max(this.#rules.maxAttempts, 3);
      this.must(item.stops < mostStops, `${item.text} was put back at stop ${item.stops} of ${mostStops}`);
      item.attempts -= 1;
      expected += 1;
    }
    this.must(count === expected, `${count} were put back and not ${expected}`);
  }

  released(turn: TurnHold, took: boolean): void {
    const item = this.#item(turn.messageId);
    const expected = item !== undefined && stands(item, turn) && item.end?.state === 'cancelled';
    this.must(took === expected, `the release of ${item?.text} was ${took ? 'taken' : 'refused'}`);
    if (expected) item.hold = null;
  }

  refused(turn: TurnHold): void {
    this.#refused.add(this.#keyOf(turn));
  }

  cancelled(id: string, outcome: CancelOutcome | null): void {
    const item = this.#item(id);
    if (item === undefined) {
      this.must(outcome === null, 'what is not there was cancelled');
      return;
    }
    const possible = isOpen(item) || item.end?.state === 'cancelled';
    this.must(
      outcome?.outcome === (possible ? 'cancelled' : 'settled'),
      `to cancel ${item.text} gave ${outcome?.outcome}`,
    );
    if (outcome?.outcome === 'cancelled') {
      this.must(outcome.running === (item.hold !== null), `${item.text} runs: ${outcome.running}`);
    }
    if (possible) cancel(item);
  }

  sessionCancelled(session: string, outcome: SessionCancelled | null): void {
    this.#cancelAll(`the end of ${session}`, this.#open(session), outcome?.messages ?? []);
  }

  /** Nobody runs as this owner any more; what it held is taken back once its lease is over. */
  ownerGone(owner: string): void {
    this.#gone.add(owner);
  }

  /** A start has taken back all that was held. */
  takenBack(): void {
    const held = this.#held();
    for (const item of held) this.#takeBack(item, held.length === 1);
  }

  // Views of agents and of those who wait.

  begun(owner: string, request: AgentRequest): void {
    const { messageId, attempt, session, seq, text, collected } = request;
    const item = this.#item(messageId);
    const held = item?.hold?.owner === owner && item.hold.attempt === attempt;
    this.must(held, `${session} ${seq} began as attempt ${attempt} of ${owner}, which does not hold it`);
    if (item === undefined) return;
    const parts = item.parts ?? [];
    const texts = [...parts, item].map((part) => part.text).join('\n\n');
    this.must(text === texts, `${item.text} was given "${text}" and not "${texts}"`);
    this.must(sameIds(collected, parts), `${item.text} was told that it is made of others`);
  }

  ended(turn: Pick<Turn, 'messageId' | 'attempt'>, end: AgentEnd): void {
    this.#ends.set(keyOf(turn), end);
  }

  told(messageId: string, state: string): void {
    if (state !== 'replied' && state !== 'dead') return;
    const item = this.#item(messageId);
    this.must(item?.end?.state === state, `${item?.text} was told to be ${state}`);
  }

  // Work that is to come.

  /** True if each message has come to its end, and no turn of any is under way. */
  get settled(): boolean {
    return this.items.every((item) => !isOpen(item) && item.hold === null);
  }

  /**
   * Messages that have to run by now if a place is free for them: the first of each session that nothing holds up.
   */
  overdue(now: number): readonly Item[] {
    const firsts = Object.keys(this.#rules.policies).flatMap((session) => {
      const holds = this.#held().filter((item) => item.session === session);
      const [first] = this.#open(session);
      if (first === undefined || (first.retryAt ?? 0) + this.#rules.lateness > now) return [];
      return holds.every((item) => this.#lapsed(item, now)) ? [first] : [];
    });
    const poison = this.items.some((item) => (isOpen(item) || item.hold !== null) && this.#mayBePoison(item));
    // It runs once nothing else does, and by itself; then all others wait.
    return poison && this.#held().some((item) => !this.#lapsed(item, now)) ? [] : firsts;
  }

  #lapsed({ hold }: Item, now: number): boolean {
    return hold !== null && this.#gone.has(hold.owner) && hold.until + this.#rules.lateness <= now;
  }

  #item(id: string): Item | undefined {
    return this.items.find((item) => item.id === id);
  }

  #open(session: string): Item[] {
    return this.items.filter((item) => item.session === session && isOpen(item));
  }

  #held(): Item[] {
    return this.items.filter(({ hold }) => hold !== null);
  }

  /** It may be what brings gateways down: it is run by itself, and set aside where one goes down with it alone. */
  #mayBePoison({ crashes }: Item): boolean {
    return crashes >= this.#rules.maxAttempts;
  }

  /** The messages that the next turn of the session is made of. */
  #nextTurn(session: string): Item[] {
    const open = this.#open(session);
    const { policies, collectLimit } = this.#rules;
    const collects = policies[session] === 'collect' && open[0]?.parts === null;
    return open.slice(0, collects ? collectLimit : 1);
  }

  #claim(turn: Turn, until: number): void {
    const { session, text, attempt, owner, epoch } = turn;
    const held = this.#held();
    this.must(
      !held.some((item) => item.session === session),
      `${text} was claimed while ${session} has a turn`,
    );
    const next = this.#nextTurn(session);
    const item = next.at(-1);
    const known = item?.id === turn.messageId;
    this.must(known, `"${text}" was claimed and not "${next.map((each) => each.text).join('\n\n')}"`);
    if (item === undefined || !known) return;
    item.parts ??= next.slice(0, -1);
    for (const part of item.parts) part.partOf = item;
    this.must(sameIds(turn.collected, item.parts), `${item.text} is made of others`);
    this.must(
      attempt === item.attempts + 1,
      `attempt ${attempt} of ${item.text} came after ${item.attempts}`,
    );
    const poison = [item, ...held].some((each) => this.#mayBePoison(each));
    this.must(!poison || held.length === 0, `${item.text} began beside another, and one is to run alone`);
    item.attempts = attempt;
    const before = Math.max(0, ...this.#attempts.keys());
    this.must(epoch > before, `the claim on ${session} has the epoch ${epoch}, and there was ${before}`);
    this.#attempts.set(epoch, attempt);
    item.hold = { owner, epoch, attempt, until };
    item.retryAt = null;
    this.#ends.delete(keyOf(turn));
    this.#refused.delete(keyOf(turn));
  }

  #keyOf({ messageId, epoch }: TurnHold): string {
    return keyOf({ messageId, attempt: this.#attempts.get(epoch) ?? 0 });
  }

  /** Gives the item, if it is for its turn's end to say what becomes of it. */
  #letGo(turn: TurnHold, took: boolean): Item | null {
    const item = this.#item(turn.messageId);
    const held = item !== undefined && stands(item, turn);
    const counts = held && item.end === null;
    this.must(took === counts, `the end of ${item?.text} was ${took ? 'taken' : 'refused'}`);
    if (held) item.hold = null;
    return counts ? item : null;
  }

  #takeBack(item: Item, alone: boolean): void {
    item.hold = null;
    if (item.end !== null) return;
    item.crashes += 1;
    const { repeatable } = this.#rules;
    if (repeatable && !(alone && this.#mayBePoison(item))) return;
    const why = repeatable ? `that was crash ${item.crashes} ` : 'agent.retry is "never"';
    item.end = { state: 'dead', error: [`Set aside after attempt ${item.attempts}: `, why] };
  }

  #cancelAll(why: string, items: readonly Item[], told: SessionCancelled['messages']): void {
    const list = (all: SessionCancelled['messages']) =>
      all.map(({ id, seq, running }) => `${seq} ${id}${running ? ' (runs)' : ''}`).join();
    const expected = list(items.map(({ id, seq, hold }) => ({ id, seq, running: hold !== null })));
    this.must(list(told) === expected, `${why} "${list(told)}" and not "${expected}"`);
    for (const item of items) cancel(item);
  }
}

function isOpen({ end, partOf }: Item): boolean {
  return end === null && partOf === null;
}

/** Also one that failed by itself at the very moment. */
function wasCutOff(end: AgentEnd | undefined): boolean {
  return end !== undefined && end.how !== 'reply' && end.signal.aborted;
}

function cancel(item: Item): void {
  item.end = { state: 'cancelled' };
  item.retryAt = null;
}

function stands({ hold }: Item, turn: TurnHold): boolean {
  return hold !== null && hold.owner === turn.owner && hold.epoch === turn.epoch;
}

function keyOf({ messageId, attempt }: Pick<Turn, 'messageId' | 'attempt'>): string {
  return `${messageId} ${attempt}`;
}

function sameIds(collected: readonly { readonly messageId: string }[], items: readonly Item[]): boolean {
  return collected.map(({ messageId }) => messageId).join() === items.map(({ id }) => id).join();
}
