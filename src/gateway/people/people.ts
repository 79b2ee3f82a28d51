import type { Person } from '../../channels/channel.js';
import {
  codeHash,
  codeLifeMs,
  decideOffer,
  keptWaiting,
  mostWaiting,
  storedWaiting,
  type Waiting,
  waitingFor,
} from '../../channels/conversation/pairing.js';
import { plainName } from '../../channels/conversation/plain-text.js';
import type { CodeOffer } from '../../channels/conversation/reception.js';
import { needsRecord, type Role, roleOf, roles } from '../../channels/conversation/roles.js';
import type { AllowedPerson, PeopleList, WaitingPerson } from '../../channels/surroundings.js';
import type { PeopleConfiguration } from '../../config/channel-table.js';
import type { Log } from '../../log/log.js';
import { itemsOfPages } from '../../store/pages.js';
import { type StoredRecord, tableOf } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { ownCommand } from '../../text/own-command.js';
import { newCode, writtenCode } from '../questions/question-record.js';

export interface PeopleOptions {
  readonly store: Pick<Store, 'record' | 'records' | 'putRecord' | 'deleteRecord'>;
  readonly log: Log;
  /** The channels that people write to, by their names, as the configuration has them now. */
  readonly channels: () => ReadonlyMap<string, PeopleConfiguration>;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
}

/** Records of those who were let in, and of those who wait for it, by the ids of persons. */
const personKind = (channel: string) => `people:${channel}`;
const waitingKind = (channel: string) => `pairing:${channel}`;

export interface KnownPerson {
  readonly name: string | null;
  readonly role: Role;
}

interface Kept {
  readonly record: StoredRecord;
  readonly value: Waiting;
}

/** The people who may write by channels. Each change is on disk when its promise resolves, and leaves a record in the journal. */
export class People {
  readonly #options: PeopleOptions;
  readonly #now: () => number;
  /** One offer at a time, so that the count of those who wait is right. */
  #offering: Promise<unknown> = Promise.resolve();

  constructor(options: PeopleOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** True if the channel is one that people write to. */
  isOfPeople(channel: string): boolean {
    return this.#options.channels().has(channel);
  }

  /** A person who may write by the channel; null: a stranger. */
  async person(channel: string, id: string): Promise<KnownPerson | null> {
    const rules = this.#options.channels().get(channel);
    if (rules === undefined) return null;
    const record = needsRecord(rules, id) ? await this.#options.store.record(personKind(channel), id) : null;
    const role = roleOf(rules, id, record === null ? null : roleIn(record));
    return role === null ? null : { name: record === null ? null : nameIn(record), role };
  }

  /** Gives a stranger a code, if it is time for one and there is room. */
  offerCode(channel: string, person: Person): Promise<CodeOffer> {
    const offered = this.#offering.then(() => this.#offer(channel, person));
    this.#offering = offered.catch(() => undefined);
    return offered;
  }

  async list(): Promise<PeopleList> {
    const allowed: AllowedPerson[] = [];
    const waiting: WaitingPerson[] = [];
    for (const [channel, { allow, owners }] of this.#options.channels()) {
      const configured = new Set([...owners, ...allow]);
      for (const id of configured) {
        const role = owners.includes(id) ? 'owner' : 'user';
        allowed.push({ channel, id, name: null, role, isConfigured: true, since: null });
      }
      for (const record of await this.#all(personKind(channel))) {
        if (!configured.has(record.key)) allowed.push(allowedPerson(channel, record));
      }
      for (const { record, value } of await this.#waiting(channel)) {
        waiting.push(waitingPerson(channel, record, value));
      }
    }
    return { allowed, waiting };
  }

  /** Lets the person in whose code it is. Null: nobody waits with this code. */
  async accept(code: string, role: Role): Promise<AllowedPerson | null> {
    const { store, log, channels } = this.#options;
    const written = writtenCode(code.replaceAll(/\s/g, ''));
    for (const channel of channels().keys()) {
      const found = waitingFor(await this.#waiting(channel), channel, written);
      if (found === null) continue;
      const { key: id, version } = found.record;
      const since = this.#now();
      // The code is gone first: it lets nobody in twice.
      if (!(await store.deleteRecord(waitingKind(channel), id, version))) return null;
      const value = { name: found.value.name, role, since };
      await store.putRecord({ kind: personKind(channel), key: id, value });
      log.notice(
        `Let in by request: the person ${JSON.stringify(id)} of the channel ${channel}, as ${role}.`,
        fields(channel),
      );
      return { channel, id, name: found.value.name, role, isConfigured: false, since };
    }
    return null;
  }

  /** The channels that know the person, by the configuration or by a record. */
  async channelsOf(id: string): Promise<readonly string[]> {
    const { store, channels } = this.#options;
    const found: string[] = [];
    for (const [channel, { allow, owners }] of channels()) {
      const isKnown =
        [...allow, ...owners].includes(id) ||
        (await store.record(personKind(channel), id)) !== null ||
        (await store.record(waitingKind(channel), id)) !== null;
      if (isKnown) found.push(channel);
    }
    return found;
  }

  /** Takes the right from a person that an operator let in, and the code from one who waits. True if there was one. */
  async remove(channel: string, id: string): Promise<boolean> {
    const { store } = this.#options;
    const [allowed, waited] = await Promise.all([
      store.deleteRecord(personKind(channel), id),
      store.deleteRecord(waitingKind(channel), id),
    ]);
    return allowed || waited;
  }

  async #offer(channel: string, { id, name }: Person): Promise<CodeOffer> {
    const { store, log } = this.#options;
    const waiting = await this.#waiting(channel);
    const own = waiting.find(({ record }) => record.key === id) ?? null;
    const now = this.#now();
    const offer = decideOffer(id, own?.value ?? null, { waiting: waiting.length, now });
    if (offer === 'silent' || offer === 'full') return { outcome: offer };
    const code = newCode();
    const lifeMs = Math.max(1, (own?.record.expiresAt ?? now + codeLifeMs) - now);
    const value = {
      codeHash: codeHash(channel, code),
      name: plainName(name),
      askedAt: own?.value.askedAt ?? now,
      toldAt: now,
    };
    await store.putRecord({
      kind: waitingKind(channel),
      key: id,
      value: storedWaiting(value),
      expiresInMs: lifeMs,
    });
    if (offer === 'new') {
      log.notice(
        `The person ${JSON.stringify(id)} asks to write by the channel ${channel}, and was given a code. "${ownCommand('people accept CODE')}" lets this person in.`,
        fields(channel),
      );
    }
    return { outcome: 'code', code, minutes: Math.max(1, Math.floor(lifeMs / 60_000)) };
  }

  async #waiting(channel: string): Promise<readonly Kept[]> {
    const { items } = await this.#options.store.records(waitingKind(channel), {
      limit: 2 * mostWaiting,
      after: null,
    });
    return items.flatMap((record) => {
      const value = keptWaiting(record.value);
      return value === null ? [] : [{ record, value }];
    });
  }

  async #all(kind: string): Promise<readonly StoredRecord[]> {
    const found: StoredRecord[] = [];
    const { store } = this.#options;
    for await (const record of itemsOfPages((after) => store.records(kind, { limit: 500, after }))) {
      found.push(record);
    }
    return found;
  }
}

const fields = (channel: string) => ({ SD_GATEWAY_CHANNEL: channel });

/** A record of a later version may have another role, which is not more than a user's here. */
function roleIn({ value }: StoredRecord): Role {
  const { role } = tableOf(value);
  return roles.find((each) => each === role) ?? 'user';
}

function nameIn({ value }: StoredRecord): string | null {
  const { name } = tableOf(value);
  return typeof name === 'string' ? name : null;
}

function allowedPerson(channel: string, record: StoredRecord): AllowedPerson {
  const { since } = tableOf(record.value);
  return {
    channel,
    id: record.key,
    name: nameIn(record),
    role: roleIn(record),
    isConfigured: false,
    since: typeof since === 'number' ? since : null,
  };
}

function waitingPerson(channel: string, { key: id, expiresAt }: StoredRecord, value: Waiting): WaitingPerson {
  const { name, askedAt } = value;
  return { channel, id, name, askedAt, expiresAt: expiresAt ?? askedAt + codeLifeMs };
}
