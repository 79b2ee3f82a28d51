import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { newId } from '../../../store/ids.js';
import type { JsonValue, Message, Metadata } from '../../../store/messages.js';
import { AttachmentLimitError, NewAttachments } from '../../../store/new-attachments.js';
import type { Store } from '../../../store/store.js';
import { UploadSlots } from '../attachments/upload-slots.js';
import { FileFetchError } from '../attachments/url-files.js';
import type { HttpChannelOptions } from '../options.js';
import { Problem } from '../problem.js';
import { bounds, idempotencyKey } from '../request-schema.js';
import { callerOf } from '../route-scopes.js';
import { validateOne } from '../validate.js';
import type { GivenPart } from './content-parts.js';
import type { GivenTurn } from './conversation.js';
import { invalid, noRetry, OpenAiError } from './errors.js';
import { agentOf } from './model-routes.js';
import { countsTries, type Retries } from './retries.js';
import { openAiChannel, ownerOf } from './session-names.js';
import { chooseSession, type SessionChoice, type SessionLookups } from './sessions.js';
import type { ThrowAwaySessions } from './throw-away.js';

export interface RunsOptions
  extends Pick<HttpChannelOptions, 'accept' | 'settings' | 'sessions' | 'fetchFile' | 'retryAfterSeconds'> {
  readonly store: Pick<Store, 'putBlob' | 'removeBlob' | 'session'>;
  readonly lookups: SessionLookups;
  readonly retries: Retries;
  readonly throwAway: Pick<ThrowAwaySessions, 'note'>;
}

/** A request to run a turn, whichever of the two kinds it is of. */
export interface RunRequest {
  readonly turn: GivenTurn;
  readonly model: string;
  readonly user: string | null;
  /** The id of a conversation; null: none is named. */
  readonly conversation: string | null;
  readonly previousResponse: string | null;
  /** Kept with the message, as `openai`. */
  readonly facts: Metadata;
}

/** Takes turns in, each once: they are on disk when the promise resolves. */
export class Runs {
  readonly #options: RunsOptions;
  readonly #slots: UploadSlots;

  constructor(options: RunsOptions) {
    this.#options = options;
    this.#slots = new UploadSlots(() => options.settings().attachments.concurrency);
  }

  /** Gives the message of the request, which is an earlier one if the request comes again. Throws an OpenAiError or a Problem. */
  async post(request: FastifyRequest, run: RunRequest): Promise<Message> {
    const owner = ownerOf(callerOf(request));
    const agent = agentOf(run.model, this.#options.sessions.agents);
    const key = keyIn(request);
    // A body may have megabytes of files.
    const isKnownAgain = key !== null || countsTries(request.headers);
    const fingerprint = isKnownAgain ? fingerprintOf(request, key) : null;
    let before: GivenTurn['earlier'] = [];
    const choose = async () => {
      const { session, earlier: begun = [] } = await this.#choose(request, run, owner, key);
      before = begun;
      return session;
    };
    const headers = key === null ? request.headers : {};
    const posted = { headers, owner, address: this.#addressOf(request), fingerprint };
    const { place, message } = await this.#options.retries.place(posted, choose);
    if (message !== null) return message;
    return this.#withFiles(run.turn.files, async (files) => {
      await this.#switchAgent(place.session, agent);
      const { text, instructions, earlier } = run.turn;
      const outcome = await this.#options.accept(
        {
          id: place.messageId,
          session: place.session,
          text,
          metadata: { openai: { ...run.facts, ...(instructions !== null && { instructions }) } },
          replyTo: null,
          idempotencyKey: key ?? place.retryKey,
          fingerprint,
          sender: senderOf(run.user),
          channel: openAiChannel,
          agent,
          attachments: files.list,
          earlier: [...before, ...earlier].map((each) => ({ id: newId(), ...each })),
        },
        this.#options.settings().queue,
      );
      return { message: this.#accepted(outcome), isKept: outcome.outcome === 'accepted' };
    });
  }

  /** The route and what names the session: the same words in another chat are another request. */
  #addressOf({ url, headers }: FastifyRequest): string {
    const { sessionHeaders, chatHeaders } = this.#options.lookups.settings();
    const values = [...sessionHeaders, ...chatHeaders].map((name) => headers[name.toLowerCase()] ?? null);
    return JSON.stringify([url, ...values]);
  }

  async #choose(
    { headers }: FastifyRequest,
    { conversation, previousResponse, turn }: RunRequest,
    owner: string,
    key: string | null,
  ): Promise<SessionChoice> {
    const hasReplies = turn.earlier.some(({ reply }) => reply !== '');
    const asked = { headers, owner, conversation, previousResponse, key, hasReplies, text: turn.text };
    const choice = await chooseSession(asked, this.#options.lookups);
    if (choice.isThrowAway) await this.#options.throwAway.note(choice.session);
    return choice;
  }

  /** A person may go on with another model in the middle of a chat. */
  async #switchAgent(session: string, agent: string | null): Promise<void> {
    if (agent === null) return;
    const { store, sessions } = this.#options;
    const known = await store.session(session);
    if (known !== null && known.agent !== agent) await sessions.setAgent(session, agent);
  }

  #accepted(outcome: Awaited<ReturnType<HttpChannelOptions['accept']>>): Message {
    switch (outcome.outcome) {
      case 'accepted':
      case 'repeated':
        return outcome.message;
      case 'conflict':
        throw new OpenAiError(
          409,
          'The Idempotency-Key was used for another request of this session.',
          { code: 'idempotency_conflict' },
          noRetry,
        );
      case 'set-aside':
        throw new Error('A message of the OpenAI-compatible API was set aside.');
      case 'full': {
        const where = outcome.limit === 'session' ? 'this session' : 'this gateway';
        throw new Problem('queue-full', `${outcome.waiting} messages wait in ${where}, and no more may.`, {
          retryAfter: this.#options.retryAfterSeconds(outcome.limit),
        });
      }
    }
  }

  /** Puts the files into the store. They are kept if the message is. */
  async #withFiles(
    given: readonly GivenPart[],
    accept: (files: NewAttachments) => Promise<{ readonly message: Message; readonly isKept: boolean }>,
  ): Promise<Message> {
    const files = new NewAttachments(this.#options.store, this.#options.settings().attachments);
    let isKept = false;
    try {
      if (given.length > 0) await this.#slots.run(() => this.#addFiles(given, files));
      const outcome = await accept(files);
      ({ isKept } = outcome);
      return outcome.message;
    } finally {
      if (!isKept) await files.discard();
    }
  }

  async #addFiles(given: readonly GivenPart[], files: NewAttachments): Promise<void> {
    for (const [index, part] of given.entries()) {
      try {
        files.checkCount();
        if (part.from === 'data') {
          await files.add({ name: part.name, mediaType: part.mediaType }, [part.bytes]);
          continue;
        }
        const { name, mediaType, content } = await this.#options.fetchFile(part.url);
        await files.add({ name: part.name ?? name, mediaType }, content);
      } catch (error) {
        const which = `File ${index + 1} of the message`;
        if (error instanceof AttachmentLimitError) {
          const [status, code] = error.limit === 'count' ? [400, 'too_many_files'] : [413, 'file_too_large'];
          throw new OpenAiError(Number(status), `${which} ${error.message}`, { code: String(code) });
        }
        if (error instanceof FileFetchError) {
          throw invalid('messages', `${which} could not be fetched: ${error.message}`, 'file_unavailable');
        }
        throw error;
      }
    }
  }
}

function keyIn({ headers }: FastifyRequest): string | null {
  const given = headers['idempotency-key'];
  return given === undefined ? null : validateOne(idempotencyKey, given, { header: 'Idempotency-Key' });
}

/** Covers all that the request says. With a key a stream and a whole answer are the same request. */
function fingerprintOf({ body }: FastifyRequest, key: string | null): Uint8Array {
  const { stream, stream_options, ...rest } = body as Readonly<Record<string, JsonValue>>;
  return hash('sha256', JSON.stringify(sorted(key === null ? (body as JsonValue) : rest)), 'buffer');
}

function sorted(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
}

/** `user` tells whose request it is, for the order among people. It never makes a session. */
function senderOf(user: string | null): string | null {
  const plain = (user ?? '').replace(/[\0\p{Surrogate}]/gu, '').slice(0, bounds.senderLength);
  return plain === '' ? null : plain;
}
