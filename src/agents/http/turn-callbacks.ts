import { timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonValue } from '../../store/messages.js';
import { type AttachmentLimits, NewAttachments } from '../../store/new-attachments.js';
import type { StoredRecord } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { newSecretToken, secretTokenDigest } from '../../text/secret-token.js';
import { AgentError } from '../agent.js';
import {
  factsOfFiles,
  fingerprint,
  type GivenLateReply,
  LateFileError,
  type LateReply,
  lateBodyLimitBytes,
  readFiles,
  storeFiles,
} from './late-reply.js';

/**
 * The attempt of a turn that an agent may send the reply of. `posted`: it was asked, and may have said that it replies
 * later or not; `accepted`: it has said so; `replied`: its reply is here; `ended`: the attempt has ended otherwise.
 */
interface Callback {
  readonly state: 'posted' | 'accepted' | 'replied' | 'ended';
  /** SHA-256 of the attempt's token, in hexadecimal digits. */
  readonly token: string;
  /** Those of the attempts before. */
  readonly earlierTokens: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly deadline: number;
  readonly replyLimit: number;
  readonly reply: LateReply | null;
}

export type LateReplyOutcome =
  | { readonly outcome: 'taken' | 'repeated' }
  /** The attempt of that token has ended, or has another reply. */
  | { readonly outcome: 'ended' }
  | { readonly outcome: 'too-large'; readonly limitBytes: number }
  /** One of its files, counted from 0, can't be taken. */
  | (Pick<LateFileError, 'index' | 'limit' | 'message'> & { readonly outcome: 'file-refused' });

type CallbackStore = Pick<Store, 'record' | 'putRecord' | 'putBlob' | 'removeBlob' | 'openBlob'>;

export interface TurnCallbacksOptions {
  /** Bounds of the files of a reply. Default: it has none. */
  readonly attachmentLimits?: () => AttachmentLimits;
  /** Milliseconds since the Unix epoch. Default: of the system. */
  readonly now?: () => number;
}

const noAttachments: AttachmentLimits = { count: 0, fileBytes: 0, totalBytes: 0 };

const recordKind = 'turn-callback';
/** A reply that comes again after the end is still known for so long. */
const keptMs = 86_400_000;
/** Tokens of earlier attempts that are still known as such. */
const mostEarlierTokens = 20;
/** Another gateway on the same store may have taken the reply. */
const lookIntervalMs = 5_000;

/** The turns whose agents may reply later: their tokens, kept as hashes, and their replies. */
export class TurnCallbacks {
  readonly #store: CallbackStore;
  readonly #attachmentLimits: () => AttachmentLimits;
  readonly #now: () => number;
  readonly #waiting = new Map<string, () => void>();

  constructor(
    store: CallbackStore,
    { attachmentLimits = () => noAttachments, now = Date.now }: TurnCallbacksOptions = {},
  ) {
    this.#store = store;
    this.#attachmentLimits = attachmentLimits;
    this.#now = now;
  }

  /** Begins an attempt; gives its token, which is nowhere else. Tokens of the attempts before are good no more. */
  async begin(turnId: string, timeoutMs: number, replyLimit: number): Promise<string> {
    const secret = newSecretToken();
    const before = await this.#read(turnId);
    const earlier = before === null ? [] : [...before.callback.earlierTokens, before.callback.token];
    await this.#write(turnId, {
      state: 'posted',
      token: secretTokenDigest(secret).toString('hex'),
      earlierTokens: earlier.slice(-mostEarlierTokens),
      deadline: this.#now() + timeoutMs,
      replyLimit,
      reply: null,
    });
    return secret;
  }

  /** The agent has said that it replies later. */
  async accepted(turnId: string): Promise<void> {
    await this.#change(turnId, (callback) =>
      callback.state === 'posted' ? { ...callback, state: 'accepted' } : null,
    );
  }

  /** True if the turn is with its agent already, which has said that it replies later, or has replied. */
  async isOpen(turnId: string): Promise<boolean> {
    const state = (await this.#read(turnId))?.callback.state;
    return state === 'accepted' || state === 'replied';
  }

  /** The attempt has ended without a late reply: none is taken any more. One that has come stays. */
  async end(turnId: string): Promise<void> {
    await this.#change(turnId, (callback) =>
      callback.state === 'replied' || callback.state === 'ended' ? null : { ...callback, state: 'ended' },
    );
  }

  /**
   * Waits for the reply. Null: it has not come in time. Rejects with the signal's reason, and with an `AgentError` if its
   * files are gone.
   */
  async reply(turnId: string, signal: AbortSignal): Promise<LateReply | null> {
    try {
      for (;;) {
        const woken = new AbortController();
        // Before it is looked for, so that none is missed that comes meanwhile.
        this.#waiting.set(turnId, () => woken.abort());
        const callback = (await this.#read(turnId))?.callback;
        signal.throwIfAborted();
        if (callback === undefined) return null;
        if (callback.reply !== null) return await this.#withFiles(turnId, callback.reply);
        const leftMs = callback.deadline - this.#now();
        if (leftMs <= 0) return null;
        await pause(Math.min(leftMs, lookIntervalMs), AbortSignal.any([woken.signal, signal]));
      }
    } finally {
      this.#waiting.delete(turnId);
    }
  }

  /**
   * Bytes of the largest body that can be a reply of the turn. Null: the token is not that of an attempt, of an earlier one
   * neither. Compares in constant time.
   */
  async bodyLimitBytes(turnId: string, secret: string): Promise<number | null> {
    const callback = (await this.#read(turnId))?.callback;
    const given = secretTokenDigest(secret);
    let isKnown = false;
    for (const token of callback === undefined ? [] : [callback.token, ...callback.earlierTokens]) {
      if (timingSafeEqual(Buffer.from(token, 'hex'), given)) isKnown = true;
    }
    if (callback === undefined || !isKnown) return null;
    return lateBodyLimitBytes(callback.replyLimit, this.#attachmentLimits());
  }

  /** Takes the reply of an attempt, by a token that is known. It is on disk when the promise resolves. */
  async take(turnId: string, secret: string, given: GivenLateReply): Promise<LateReplyOutcome> {
    const files = new NewAttachments(this.#store, this.#attachmentLimits());
    try {
      const outcome = await this.#take(turnId, secret, given, files);
      if (outcome.outcome !== 'taken') await files.discard();
      return outcome;
    } catch (error) {
      if (!(error instanceof LateFileError)) throw error;
      await files.discard();
      const { index, limit, message } = error;
      return { outcome: 'file-refused', index, limit, message };
    }
  }

  async #take(
    turnId: string,
    secret: string,
    { text, metadata, files: given = [] }: GivenLateReply,
    stored: NewAttachments,
  ): Promise<LateReplyOutcome> {
    const files = readFiles(given);
    const print = fingerprint({ text, metadata, files: factsOfFiles(files) });
    for (;;) {
      const found = await this.#read(turnId);
      if (found === null || found.callback.token !== secretTokenDigest(secret).toString('hex')) {
        return { outcome: 'ended' };
      }
      const { callback, version } = found;
      if (callback.reply !== null) {
        const { attachments = [], ...before } = callback.reply;
        return { outcome: fingerprint({ ...before, files: attachments }) === print ? 'repeated' : 'ended' };
      }
      if (callback.state === 'ended' || callback.deadline <= this.#now()) return { outcome: 'ended' };
      if (Buffer.byteLength(text) > callback.replyLimit) {
        return { outcome: 'too-large', limitBytes: callback.replyLimit };
      }
      const attachments = await storeFiles(files, stored);
      const reply: LateReply = { text, metadata, ...(attachments.length > 0 && { attachments }) };
      const { outcome } = await this.#write(turnId, { ...callback, state: 'replied', reply }, version);
      if (outcome === 'conflict') continue;
      this.#waiting.get(turnId)?.();
      return { outcome: 'taken' };
    }
  }

  /** A day after it came, the store has forgotten its files, if no gateway has run since. */
  async #withFiles(turnId: string, reply: LateReply): Promise<LateReply> {
    for (const { id, name } of reply.attachments ?? []) {
      if ((await this.#store.openBlob(id)) !== null) continue;
      // The next attempt is posted again.
      await this.#change(turnId, (callback) => ({ ...callback, state: 'ended', reply: null }));
      const message = `the file ${JSON.stringify(name)} of the agent’s late reply is no longer in the store`;
      throw new AgentError('failed', message, true);
    }
    return reply;
  }

  async #change(turnId: string, change: (callback: Callback) => Callback | null): Promise<void> {
    for (;;) {
      const found = await this.#read(turnId);
      const changed = found === null ? null : change(found.callback);
      if (found === null || changed === null) return;
      const { outcome } = await this.#write(turnId, changed, found.version);
      if (outcome === 'written') return;
    }
  }

  async #read(turnId: string): Promise<{ readonly callback: Callback; readonly version: number } | null> {
    const record = await this.#store.record(recordKind, turnId);
    const callback = record === null ? null : callbackOf(record);
    return record === null || callback === null ? null : { callback, version: record.version };
  }

  #write(turnId: string, callback: Callback, expected?: number) {
    return this.#store.putRecord(
      {
        kind: recordKind,
        key: turnId,
        value: callback as unknown as JsonValue,
        expiresInMs: Math.max(callback.deadline - this.#now(), 0) + keptMs,
      },
      expected,
    );
  }
}

/** Ends early with the signal. */
async function pause(timeoutMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(timeoutMs, undefined, { signal });
  } catch {
    // Whoever pauses looks why.
  }
}

/** Null: another version wrote it. */
function callbackOf({ value }: StoredRecord): Callback | null {
  const callback = value as unknown as Partial<Callback> | null;
  return typeof callback?.token === 'string' && Array.isArray(callback.earlierTokens)
    ? (callback as Callback)
    : null;
}
