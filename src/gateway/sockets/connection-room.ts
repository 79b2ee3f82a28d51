import {
  type ConnectionBounds,
  connectionBounds,
  type DescriptorNeeds,
  lacksReserve,
  limitFor,
} from '../../channels/http/server/connection-bounds.js';
import type { Configuration } from '../../config/schema.js';
import { type OpenFiles, openFiles } from '../../linux/process.js';
import type { Log } from '../../log/log.js';
import { mostKeptConnections } from '../delivery/webhook/webhook-senders.js';

/** The room for connections that the descriptors of this process leave. */
export class ConnectionRoom {
  readonly #configuration: () => Pick<Configuration, 'dispatch' | 'delivery'>;
  #files: OpenFiles = { limit: null, open: null };

  constructor(configuration: () => Pick<Configuration, 'dispatch' | 'delivery'>) {
    this.#configuration = configuration;
  }

  /** To be called once all is open but connections, of which there are so many already. Warns of a limit that is too low. */
  measure(connections: number, log: Pick<Log, 'warning'>, files: OpenFiles = openFiles()): void {
    const { limit, open } = files;
    this.#files = { limit, open: open === null ? null : open - connections };
    const needs = this.#needs();
    if (limit === null || !lacksReserve(needs)) return;
    const { total } = connectionBounds(needs);
    log.warning(
      `The gateway may have ${limit} files open, too few for all its work at a time: there may be ${total} connections, and turns or replies may have to wait. Set LimitNOFILE= of the unit (or "ulimit -n") to ${limitFor(needs)} or more.`,
    );
  }

  bounds(): ConnectionBounds {
    return connectionBounds(this.#needs());
  }

  #needs(): DescriptorNeeds {
    const { dispatch, delivery } = this.#configuration();
    const deliveries = delivery.concurrency + mostKeptConnections;
    return { ...this.#files, turns: dispatch.concurrency, deliveries };
  }
}
