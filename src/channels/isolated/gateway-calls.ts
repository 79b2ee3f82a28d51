import { priorities } from '../../log/log.js';
import { AttachmentLimitError, type FileContent, type NewAttachments } from '../../store/new-attachments.js';
import type { LeaseHold } from '../../store/records.js';
import type { ChannelContext, ChannelHealth } from '../channel.js';
import type { HookAnswer } from '../hooks.js';
import type { GatewayCalls } from './calls.js';

export interface GatewaySideOptions {
  readonly context: ChannelContext;
  readonly borrow: (number: number) => AsyncIterable<Uint8Array>;
  readonly lend: (content: FileContent) => number;
  readonly health: (health: ChannelHealth) => void;
  /** Hands a request of the platform to the process. */
  readonly hook: Parameters<ChannelContext['hook']['serve']>[0]['handle'];
}

/** Longest body of a request of a platform, in bytes. */
const longestBodyBytes = 64 * 1024 ** 2;

/** The calls of one run of a channel's process, and what of them stands when it ends. */
export class GatewaySide {
  readonly #options: GatewaySideOptions;
  readonly #leases = new Map<string, LeaseHold>();
  /** Files that no message has named yet, by their ids. */
  readonly #files = new Map<string, NewAttachments>();
  readonly calls: GatewayCalls;

  constructor(options: GatewaySideOptions) {
    this.#options = options;
    const { context } = options;
    const { records, leases } = context;
    this.calls = {
      accept: async ({ messages, checkpoint }) => {
        this.#named(messages);
        const outcomes = await context.accept(messages, checkpoint);
        // The turn is the dispatcher's.
        return outcomes.map((each) =>
          each.outcome === 'accepted' ? { ...each, turn: null, interrupted: [] } : each,
        );
      },
      receive: async ({ received, checkpoint }) => {
        this.#named(received);
        const outcomes = await context.receive(received, checkpoint);
        return outcomes.map((each) =>
          each.outcome === 'accepted' ? { ...each, turn: null, interrupted: [] } : each,
        );
      },
      keeps: (received) => context.keeps(received),
      checkpoint: (key) => context.checkpoint(key),
      putBlob: ({ content, limitBytes }) => this.#putBlob(options.borrow(content), limitBytes),
      removeBlob: async (id) => {
        const files = this.#files.get(id);
        this.#files.delete(id);
        await files?.discard();
      },
      openFile: async (file) => {
        const content = await context.openFile(file);
        return content === null ? null : options.lend(content);
      },
      record: ({ kind, key }) => records.record(this.#own(kind), key),
      records: ({ kind, page }) => records.records(this.#own(kind), page),
      putRecord: ({ record, expected }) => {
        this.#own(record.kind);
        return records.putRecord(record, expected);
      },
      deleteRecord: ({ kind, key, expected }) => records.deleteRecord(this.#own(kind), key, expected),
      claimLease: async ({ kind, name, owner, leaseMs }) => {
        const epoch = await leases.claimLease(kind, name, owner, leaseMs);
        if (epoch !== null) this.#leases.set(keyOf({ kind, name, owner }), { kind, name, owner, epoch });
        return epoch;
      },
      renewLease: ({ lease, leaseMs }) => leases.renewLease(lease, leaseMs),
      releaseLease: async (lease) => {
        const isReleased = await leases.releaseLease(lease);
        this.#leases.delete(keyOf(lease));
        return isReleased;
      },
      serve: ({ limitBytes }) =>
        context.hook.serve({
          limitBytes: Math.min(limitBytes, longestBodyBytes),
          handle: (request): Promise<HookAnswer> => options.hook(request),
        }),
      log: ({ priority, message, fields }) => {
        if (!Object.hasOwn(priorities, priority)) throw new Error('it has no priority');
        context.log[priority](String(message), fields);
      },
      health: options.health,
    };
  }

  /** The process is gone: nothing of it is under way. What it has claimed and not used is free again. */
  async end(): Promise<void> {
    const { leases } = this.#options.context;
    const [claimed, files] = [[...this.#leases.values()], [...this.#files.values()]];
    this.#leases.clear();
    this.#files.clear();
    await Promise.allSettled([
      ...claimed.map((lease) => leases.releaseLease(lease)),
      ...files.map((each) => each.discard()),
    ]);
  }

  #named(messages: readonly { readonly attachments?: readonly { readonly id: string }[] }[]): void {
    for (const { attachments = [] } of messages) for (const { id } of attachments) this.#files.delete(id);
  }

  #own(kind: string): string {
    if (kind.startsWith(`${this.#options.context.name}:`)) return kind;
    throw new Error(`the record ${JSON.stringify(kind)} is none of the channel`);
  }

  async #putBlob(content: AsyncIterable<Uint8Array>, limitBytes: number) {
    const files = this.#options.context.newFiles();
    try {
      const file = await files.add({ name: null, mediaType: null }, upTo(content, limitBytes));
      const { id, sizeBytes, sha256 } = file;
      this.#files.set(id, files);
      return { id, sizeBytes, sha256 };
    } catch (error) {
      if (error instanceof AttachmentLimitError) return null;
      throw error;
    }
  }
}

function keyOf({ kind, name, owner }: Omit<LeaseHold, 'epoch'>): string {
  return JSON.stringify([kind, name, owner]);
}

async function* upTo(content: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  for await (const chunk of content) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new AttachmentLimitError('size', 'is too large');
    yield chunk;
  }
}
