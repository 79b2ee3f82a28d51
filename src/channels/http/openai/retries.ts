import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { newId } from '../../../store/ids.js';
import type { Message } from '../../../store/messages.js';
import { tableOf } from '../../../store/records.js';
import type { Store } from '../../../store/store.js';
import { isUnsettled } from '../streams/long-polls.js';

const recordKind = 'openai-post';
/** No turn lasts so long, in milliseconds. */
const keptMs = 2 * 86_400_000;
/** A retry joins the run for so long after its end, in milliseconds. */
const joinedMs = 10 * 60_000;

/** The run of a request: the message that it is, or was, accepted as. */
export interface RunPlace {
  readonly messageId: string;
  readonly session: string;
  /** For the store, so that a run which is begun twice at once is accepted once; null: the client counts no tries. */
  readonly retryKey: string | null;
}

export interface PostedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly owner: string;
  readonly address: string;
  /** SHA-256 of all that the request says; null: the client counts no tries. */
  readonly fingerprint: Uint8Array | null;
}

/** Remembers requests of clients that count their tries, so that a further try finds the run of the first. */
export class Retries {
  readonly #store: Pick<Store, 'record' | 'putRecord' | 'message'>;
  readonly #now: () => number;

  /** `now`: milliseconds since the Unix epoch. */
  constructor(store: Pick<Store, 'record' | 'putRecord' | 'message'>, now: () => number = Date.now) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * Gives where the request runs. `message`: it ran before, and is to be joined. It is on disk when the promise resolves, so
   * that a try after a crash knows it. `choose` gives the session of a request that is new.
   */
  async place(
    request: PostedRequest,
    choose: () => Promise<string>,
  ): Promise<{ readonly place: RunPlace; readonly message: Message | null }> {
    const tries = triesIn(request.headers);
    if (tries === null) {
      return { place: { messageId: newId(), session: await choose(), retryKey: null }, message: null };
    }
    const key = recordKey(request);
    const known = tries === 0 ? null : await this.#known(key);
    if (known !== null) {
      const message = await this.#store.message(known.messageId);
      if (message === null || this.#isJoined(message)) return { place: known, message };
    }
    const place = placeOf(newId(), await choose());
    const value = { message: place.messageId, session: place.session };
    await this.#store.putRecord({ kind: recordKind, key, value, expiresInMs: keptMs });
    return { place, message: null };
  }

  #isJoined(message: Message): boolean {
    return isUnsettled(message) || this.#now() - message.changedAt <= joinedMs;
  }

  async #known(key: string): Promise<RunPlace | null> {
    const { message, session } = tableOf((await this.#store.record(recordKind, key))?.value ?? null);
    return typeof message === 'string' && typeof session === 'string' ? placeOf(message, session) : null;
  }
}

function placeOf(messageId: string, session: string): RunPlace {
  return { messageId, session, retryKey: `sd-gateway-run:${messageId}` };
}

/** True if the client tells how often it has tried. */
export function countsTries(headers: IncomingHttpHeaders): boolean {
  return triesIn(headers) !== null;
}

/** The tries before this one; null: the client doesn't count them. */
function triesIn(headers: IncomingHttpHeaders): number | null {
  const given = headers['x-stainless-retry-count'];
  return typeof given === 'string' && /^\d{1,4}$/.test(given) ? Number(given) : null;
}

function recordKey({ owner, address, fingerprint }: PostedRequest): string {
  return hash('sha256', `${owner}\n${address}\n${Buffer.from(fingerprint ?? []).toString('hex')}`);
}
