import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBelow } from '../linux/open-below.js';
import type { Attachment } from '../store/messages.js';
import { AttachmentLimitError, type FileContent, type GivenFile } from '../store/new-attachments.js';
import { StoreError, type StoreFailure } from '../store/store-error.js';
import { errorMessage } from '../text/failure-text.js';
import { AgentError, type AgentReply, type AgentRequest } from './agent.js';

/** Bytes of files that may wait in memory for the store. */
const mostHeldBytes = 32 * 1024 ** 2;

/** Failures of the store that pass. A turn that has done its work must not fail for them. */
const passing: ReadonlySet<StoreFailure> = new Set(['unavailable', 'full']);
const retryDelayMs = 1_000;

/**
 * Files that an agent makes in a turn. They are stored one after the other while the turn goes on. While the store takes
 * none, they wait.
 */
export class ReplyFiles {
  readonly #addFile: AgentRequest['addFile'];
  readonly #signal: AbortSignal;
  readonly #onFailure: (failure: AgentError) => void;
  readonly #list: Attachment[] = [];
  #stored: Promise<void> = Promise.resolve();
  #heldBytes = 0;
  #failure: AgentError | null = null;

  /** `signal` ends the wait for the store. `onFailure` is told, once, why the turn fails. */
  constructor(
    { addFile }: Pick<AgentRequest, 'addFile'>,
    signal: AbortSignal,
    onFailure: (failure: AgentError) => void = () => undefined,
  ) {
    this.#addFile = addFile;
    this.#signal = signal;
    this.#onFailure = onFailure;
  }

  /** `heldBytes`: bytes of the content that are in memory until it is stored. */
  add(facts: GivenFile, content: () => FileContent, heldBytes = 0): void {
    this.#heldBytes += heldBytes;
    if (this.#heldBytes > mostHeldBytes) this.#fail(tooMuchAtOnce());
    this.#stored = this.#stored.then(async () => {
      try {
        if (this.#failure === null) this.#list.push(await this.#store(facts, content));
      } catch (error) {
        this.#fail(notTaken(facts, error));
      } finally {
        this.#heldBytes -= heldBytes;
      }
    });
  }

  /** Waits until all are stored, and gives the reply with them. @throws AgentError */
  async addTo(reply: AgentReply): Promise<AgentReply> {
    await this.#stored;
    if (this.#failure !== null) throw this.#failure;
    return this.#list.length === 0 ? reply : { ...reply, attachments: this.#list };
  }

  async #store(facts: GivenFile, content: () => FileContent): Promise<Attachment> {
    for (;;) {
      try {
        return await this.#addFile(facts, content());
      } catch (error) {
        if (!(error instanceof StoreError) || !passing.has(error.reason)) throw error;
        await sleep(retryDelayMs, undefined, { signal: this.#signal }).catch(() => {
          throw error;
        });
      }
    }
  }

  #fail(failure: AgentError): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#onFailure(failure);
  }
}

function tooMuchAtOnce(): AgentError {
  return new AgentError(
    'bad-reply',
    `the agent gave more than ${mostHeldBytes} bytes of files at once`,
    true,
  );
}

function notTaken({ name }: GivenFile, error: unknown): AgentError {
  const file = `the agent’s file ${JSON.stringify(name ?? '')}`;
  return error instanceof AttachmentLimitError
    ? new AgentError('bad-reply', `${file} ${error.message}`, true, { cause: error })
    : new AgentError('failed', `${file} could not be taken: ${errorMessage(error)}`, true, { cause: error });
}

/** The content of a file in base64 (RFC 4648, section 4); null: it is none. */
export function contentOfBase64(data: string): Buffer | null {
  const bytes = Buffer.from(data, 'base64');
  // Node.js skips what is none.
  return bytes.length === Math.floor((data.replace(/={0,2}$/, '').length * 3) / 4) ? bytes : null;
}

/** Reads a regular file below a directory; no part of its path may be a link. Throws as `openBelow` does. */
export function readBelow(directory: string, path: string): AsyncIterable<Buffer> {
  return createReadStream('', { fd: openBelow(directory, path) });
}
