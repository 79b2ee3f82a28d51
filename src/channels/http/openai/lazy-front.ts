import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../../log/log.js';
import { errorMessage } from '../../../text/failure-text.js';
import { isOpenAiAddress } from './addresses.js';
import type { OpenAiFront, OpenAiFrontOptions } from './front.js';

/** The OpenAI-compatible API, whose code is loaded once it is enabled: no other start needs it. */
export class LazyOpenAiFront {
  readonly #options: OpenAiFrontOptions;
  readonly #log: Pick<Log, 'err'>;
  #front: OpenAiFront | null = null;
  #loading: Promise<OpenAiFront> | null = null;
  #hasEnded = false;

  constructor(options: OpenAiFrontOptions) {
    this.#options = options;
    this.#log = options.http.log;
  }

  get streams(): number {
    return this.#front?.streams ?? 0;
  }

  /** Loads it ahead if it is enabled, and begins its housekeeping. */
  start(): void {
    if (this.#options.openAi().isEnabled) this.#load().catch((error: unknown) => this.#failed(error));
  }

  /** Takes a request that is for it; false: it is not. */
  takes(request: IncomingMessage, response: ServerResponse): boolean {
    if (!isOpenAiAddress(request.url ?? '') || !this.#options.openAi().isEnabled) return false;
    if (this.#front !== null) {
      this.#front.handle(request, response);
      return true;
    }
    this.#load().then(
      (front) => front.handle(request, response),
      (error: unknown) => {
        this.#failed(error);
        response.destroy();
      },
    );
    return true;
  }

  /** The gateway stops. */
  end(): void {
    this.#hasEnded = true;
    this.#front?.end();
  }

  async close(): Promise<void> {
    this.end();
    // One that can't be loaded has nothing to be closed.
    const front = await this.#loading?.catch(() => null);
    await front?.close();
  }

  #load(): Promise<OpenAiFront> {
    this.#loading ??= import('./front.js').then(({ createOpenAiFront }) => {
      const front = createOpenAiFront(this.#options);
      if (this.#hasEnded) front.end();
      this.#front = front;
      return front;
    });
    return this.#loading;
  }

  #failed(error: unknown): void {
    this.#log.err(`The OpenAI-compatible API can't be loaded: ${errorMessage(error)}`);
  }
}
