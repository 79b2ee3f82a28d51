import { fileURLToPath } from 'node:url';
import type { ChannelConfiguration } from '../../config/channel-table.js';
import { endsWithin } from '../../lifecycle/effects/waits.js';
import { programVersion } from '../../version.js';
import type { ChannelContext, ChannelHealth } from '../channel.js';
import type { ChannelProgram } from '../channel-program.js';
import type { HookAnswer, HookRequest } from '../hooks.js';
import {
  type ChannelCalls,
  type Facts,
  type GatewayCalls,
  longestToChannelBytes,
  longestToGatewayBytes,
} from './calls.js';
import { GatewaySide } from './gateway-calls.js';
import { Peer, UnansweredError } from './peer.js';

/** Longest wait for the start of the channel, which asks its platform who it is, in milliseconds. */
const startTimeoutMs = 90_000;
/** The process is asked so often if it still answers, and has so long for it, in milliseconds. */
const pingIntervalMs = 20_000;
const pingTimeoutMs = 20_000;
/** Time that the process has to end by itself once its input has, in milliseconds. */
const gentleEndMs = 500;
/** Longest wait for what the process had begun, which a store that hangs may hold up, in milliseconds. */
const settleTimeoutMs = 5_000;
/** Bytes that may wait for the process to read them. */
const mostUnreadBytes = 64 * 1024 ** 2;
/** A channel that leaks is ended at this size of its heap, in MiB. */
const heapLimitMiB = 512;
/** More than any channel asks for at once. */
const bounds = { calls: 4_096, bytes: 2 * longestToGatewayBytes };

/** Variables of the gateway that say how to reach a platform, or how much memory to leave behind. */
const variables = [
  'NODE_EXTRA_CA_CERTS',
  'HTTPS_PROXY',
  'https_proxy',
  'ALL_PROXY',
  'all_proxy',
  'MALLOC_ARENA_MAX',
];

export interface ProcessLinkOptions {
  readonly context: ChannelContext;
  readonly configuration: ChannelConfiguration;
  /** The channel tells of its health. */
  readonly health: (health: ChannelHealth) => void;
}

/** One run of a channel's process. */
export class ProcessLink {
  readonly #options: ProcessLinkOptions;
  readonly #program: ChannelProgram;
  readonly #side: GatewaySide;
  readonly peer: Peer<GatewayCalls, ChannelCalls>;
  #facts: string;
  #failure: string | null = null;
  #cancelPing = () => {};
  /** Resolves with the reason when nothing of the process runs any more, and what it had begun has ended. */
  readonly ended: Promise<string>;

  private constructor(options: ProcessLinkOptions, program: ChannelProgram) {
    this.#options = options;
    this.#program = program;
    this.#side = new GatewaySide({
      context: options.context,
      borrow: (number) => this.peer.borrow(number),
      lend: (content) => this.peer.lend(content),
      health: options.health,
      hook: (request) => this.#hand(request),
    });
    this.peer = new Peer({
      ours: this.#side.calls,
      write: (line) => this.#write(line),
      longestTakenBytes: longestToGatewayBytes,
      longestGivenBytes: longestToChannelBytes,
      bounds,
      onMistake: (text) => this.fail(`was ended, as ${text}`),
      beforeAnswer: () => this.#tellFacts(),
    });
    this.#facts = JSON.stringify(factsOf(options.context));
    this.ended = program.ended.then((how) => this.#end(how));
  }

  /** Resolves once the channel has started. Rejects with the reason if it does not; nothing of its process runs then. */
  static async open(options: ProcessLinkOptions): Promise<ProcessLink> {
    const { host } = options.context;
    let made: (link: ProcessLink) => void = () => undefined;
    const linked = new Promise<ProcessLink>((resolve) => {
      made = resolve;
    });
    const program = await host.startProgram({
      command: [
        process.execPath,
        `--max-old-space-size=${heapLimitMiB}`,
        fileURLToPath(new URL('./isolated-worker.js', import.meta.url)),
      ],
      env: variables,
      setting: `channels.${options.context.name}.isolated`,
      take: async (bytes) => (await linked).peer.take(bytes),
    });
    const link = new ProcessLink(options, program);
    made(link);
    await link.#begin();
    return link;
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** Ends the process, which has failed; `reason` takes the place of how it ends. */
  fail(reason: string): void {
    this.#failure ??= reason;
    this.#program.end(0);
  }

  /** Has the channel close, and ends the process. Resolves with how it ended. */
  async close(timeoutMs: number): Promise<string> {
    const { clock } = this.#options.context;
    let isClosed = false;
    const closed = this.peer.call('close', timeoutMs).then(
      () => {
        isClosed = true;
      },
      () => undefined,
    );
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(timeoutMs, resolve);
    });
    await Promise.race([closed, late]);
    cancel();
    this.#program.end(isClosed ? gentleEndMs : 0);
    return this.ended;
  }

  async #begin(): Promise<void> {
    const { context, configuration } = this.#options;
    const { name, host, clock, signal } = context;
    const { directory, credentialsDirectory } = host;
    const abort = () => this.fail('was ended with the channel');
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    const cancel = clock.after(startTimeoutMs, () =>
      this.fail(`was ended, as the channel had not started after ${startTimeoutMs / 1_000} s`),
    );
    const facts = factsOf(context);
    const version = programVersion();
    try {
      const start = { version, name, configuration, directory, credentialsDirectory, facts };
      await this.peer.call('start', start);
    } catch (error) {
      this.#program.end(gentleEndMs);
      const how = await this.ended;
      throw error instanceof UnansweredError ? new Error(`its process ${how}`) : error;
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
    }
    this.#ping();
  }

  async #end(how: string): Promise<string> {
    const reason = this.#failure ?? how;
    this.#cancelPing();
    this.peer.end(`the process of the channel ${reason}`);
    // A message that it gave may get to the disk still: the next process is to find the position behind it.
    await endsWithin(this.#options.context.clock, settleTimeoutMs, this.peer.idle());
    await this.#side.end();
    return reason;
  }

  #write(line: string): void {
    if (this.#program.unreadBytes > mostUnreadBytes) {
      this.fail('was ended, as it does not read what it is told');
    } else this.#program.write(line);
  }

  /** A reload may have changed them. */
  #tellFacts(): void {
    const facts = factsOf(this.#options.context);
    const text = JSON.stringify(facts);
    if (text === this.#facts) return;
    this.#facts = text;
    this.peer.tell('facts', facts);
  }

  #ping(): void {
    const { clock } = this.#options.context;
    this.#cancelPing = clock.after(pingIntervalMs, () => {
      this.#tellFacts();
      this.#cancelPing = clock.after(pingTimeoutMs, () =>
        this.fail(`was ended, as it gave no answer for ${pingTimeoutMs / 1_000} s`),
      );
      this.peer.call('ping', null).then(
        () => {
          this.#cancelPing();
          this.#ping();
        },
        () => undefined,
      );
    });
  }

  async #hand({ headers, body, client }: HookRequest): Promise<HookAnswer> {
    try {
      return await this.peer.call('hook', { headers, body: this.peer.lend([body]), client });
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      return { outcome: 'unavailable', detail: 'The channel is started again.' };
    }
  }
}

function factsOf({ newFiles, hook }: Pick<ChannelContext, 'newFiles' | 'hook'>): Facts {
  return { attachmentLimits: newFiles().limits, hookUrl: hook.url() };
}
