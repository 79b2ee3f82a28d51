import { timingSafeEqual } from 'node:crypto';
import { itemsOfPages } from '../../store/pages.js';
import { type StoredRecord, tableOf } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { newSecretToken, secretTokenDigest } from '../../text/secret-token.js';

/** Rights that a named token may have. */
export const scopes = ['post', 'read', 'operate', 'approve', 'metrics', 'openai'] as const;
export type TokenScope = (typeof scopes)[number];

/** A token that somebody gave a name and some rights. */
export interface NamedToken {
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

const recordKind = 'token';

/** More make each request with a token slower. */
const mostTokens = 1_000;

/** Another gateway on the same store may have revoked a token meanwhile. */
const rereadAfterMs = 1_000;

export type AddOutcome =
  /** `secret`: the token itself, which nobody can read again. */
  | { readonly outcome: 'added'; readonly token: NamedToken; readonly secret: string }
  | { readonly outcome: 'exists' | 'too-many' };

interface Entry {
  readonly token: NamedToken;
  readonly hash: Buffer;
}

/** The tokens beside the operator's, which the store keeps as hashes. */
export class NamedTokens {
  readonly #store: Pick<Store, 'records' | 'putRecord' | 'deleteRecord'>;
  readonly #now: () => number;
  #entries: Promise<readonly Entry[]> | null = null;
  #readAt = 0;

  /** `now`: milliseconds since the Unix epoch. */
  constructor(store: Pick<Store, 'records' | 'putRecord' | 'deleteRecord'>, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  async list(): Promise<readonly NamedToken[]> {
    return (await this.#read()).map(({ token }) => token);
  }

  async add(name: string, granted: readonly TokenScope[]): Promise<AddOutcome> {
    if ((await this.#read()).length >= mostTokens) return { outcome: 'too-many' };
    const secret = newSecretToken();
    const token = { name, scopes: scopes.filter((scope) => granted.includes(scope)), createdAt: this.#now() };
    const value = {
      hash: secretTokenDigest(secret).toString('hex'),
      scopes: token.scopes,
      created_at: token.createdAt,
    };
    const { outcome } = await this.#store.putRecord({ kind: recordKind, key: name, value }, null);
    this.#entries = null;
    return outcome === 'written' ? { outcome: 'added', token, secret } : { outcome: 'exists' };
  }

  /** From now on nobody gets in with it. False: there is none of that name. */
  async revoke(name: string): Promise<boolean> {
    const existed = await this.#store.deleteRecord(recordKind, name);
    this.#entries = null;
    return existed;
  }

  /** Finds the token by its secret; compares it with each in constant time. */
  async find(secret: string): Promise<NamedToken | null> {
    const given = secretTokenDigest(secret);
    let found: NamedToken | null = null;
    for (const entry of await this.#known()) {
      if (timingSafeEqual(entry.hash, given)) found = entry.token;
    }
    return found;
  }

  /** Asks the store once a second at most, so that callers without a token cost it nothing. */
  #known(): Promise<readonly Entry[]> {
    const now = performance.now();
    if (this.#entries !== null && now - this.#readAt < rereadAfterMs) return this.#entries;
    const entries = this.#read();
    this.#entries = entries;
    this.#readAt = now;
    entries.catch(() => {
      if (this.#entries === entries) this.#entries = null;
    });
    return entries;
  }

  async #read(): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    const pages = (after: string | null) => this.#store.records(recordKind, { limit: mostTokens, after });
    for await (const record of itemsOfPages(pages)) {
      const entry = entryOf(record);
      if (entry !== null) entries.push(entry);
    }
    return entries;
  }
}

/** Null: another version wrote it, or somebody by hand. Nobody gets in with such a one. */
function entryOf({ key: name, value }: StoredRecord): Entry | null {
  const { hash: written, scopes: granted, created_at: createdAt } = tableOf(value);
  if (typeof written !== 'string' || !/^[0-9a-f]{64}$/.test(written)) return null;
  if (!Array.isArray(granted) || typeof createdAt !== 'number') return null;
  const known = scopes.filter((scope) => granted.includes(scope));
  return { token: { name, scopes: known, createdAt }, hash: Buffer.from(written, 'hex') };
}
