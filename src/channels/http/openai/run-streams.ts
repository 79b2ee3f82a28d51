import type { ServerResponse } from 'node:http';
import type { Log } from '../../../log/log.js';
import type { Message } from '../../../store/messages.js';
import { errorMessage } from '../../../text/failure-text.js';
import { type RunEvents, RunStream, type RunStreamOptions } from './run-stream.js';

export interface RunStreamsOptions extends RunStreamOptions {
  readonly log: Pick<Log, 'err'>;
}

/** The streams of runs that are open. */
export class RunStreams {
  readonly #options: RunStreamsOptions;
  readonly #open = new Set<RunStream>();
  #hasEnded = false;

  constructor(options: RunStreamsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Sends the run's events until its end, or until the client goes or the gateway stops. */
  async serve(message: Message, events: RunEvents, response: ServerResponse): Promise<void> {
    const stream = new RunStream(message, events, response, this.#options);
    this.#open.add(stream);
    if (this.#hasEnded) stream.stop();
    try {
      await stream.run();
    } catch (error) {
      this.#options.log.err(
        `A stream of the OpenAI-compatible API was broken off: ${errorMessage(error)}. Its run goes on.`,
        { SD_GATEWAY_SESSION: message.session, SD_GATEWAY_MESSAGE: message.id },
      );
      response.destroy();
    } finally {
      this.#open.delete(stream);
    }
  }

  /** The gateway stops. */
  end(): void {
    this.#hasEnded = true;
    for (const stream of this.#open) stream.stop();
  }
}
