import { systemClock } from '../../lifecycle/effects/clock.js';
import { type Log, type LogFields, type Priority, priorities } from '../../log/log.js';
import { type FileContent, NewAttachments } from '../../store/new-attachments.js';
import { gatheredFrom } from '../../text/gathered-bytes.js';
import { programVersion } from '../../version.js';
import type { Channel, ChannelContext } from '../channel.js';
import { createChannel } from '../create-channel.js';
import type { Hook } from '../hooks.js';
import type { ReplySender } from '../reply-sender.js';
import type { ChannelCalls, Facts, GatewayCalls, ProcessStart } from './calls.js';
import { Peer, type PeerOptions } from './peer.js';

/** Between two looks for an answer of the platform, which the gateway is told of. */
const proofIntervalMs = 15_000;

/** Makes a channel in this process, whose gateway is at the other end of a pipe. */
export class ChannelSide {
  readonly #peer: Peer<ChannelCalls, GatewayCalls>;
  readonly #end = new AbortController();
  #channel: Channel | null = null;
  #facts: Facts | null = null;
  #hook: Hook | null = null;

  constructor(options: Omit<PeerOptions<ChannelCalls>, 'ours' | 'onMistake'>) {
    this.#peer = new Peer({
      ...options,
      ours: this.#calls(),
      onMistake: (text) => {
        throw new Error(`The gateway can't be understood: ${text}.`);
      },
    });
  }

  take(bytes: Buffer): void {
    this.#peer.take(bytes);
  }

  #calls(): ChannelCalls {
    return {
      start: (start) => this.#start(start),
      stopAccepting: () => this.#channel?.stopAccepting(),
      close: async (timeoutMs) => {
        this.#end.abort();
        await this.#channel?.close(timeoutMs);
      },
      facts: (facts) => {
        this.#facts = facts;
      },
      ping: () => undefined,
      say: async ({ to, text }) => this.#made.say?.(to, text),
      send: (part, signal) => this.#sender.send(part, signal),
      reconcile: async (part, signal) => (await this.#sender.reconcile?.(part, signal)) ?? null,
      preview: async ({ target, text, receipt }, signal) =>
        (await this.#sender.preview?.(target, text, receipt, signal)) ?? receipt,
      showTyping: async (target, signal) => this.#sender.showTyping?.(target, signal),
      ask: async ({ target, question }, signal) =>
        (await this.#sender.ask?.(target, question, signal)) ?? null,
      hook: async ({ headers, body, client }) => {
        const hook = this.#hook;
        if (hook === null) return { outcome: 'unavailable', detail: 'The channel is starting.' };
        const refusal = hook.check?.(headers, client) ?? null;
        if (refusal !== null) return refusal;
        const bytes = await gatheredFrom(this.#peer.borrow(body), hook.limitBytes);
        if (bytes === null) return { outcome: 'malformed', detail: 'The body is too large.' };
        return hook.handle({ headers, body: bytes, client });
      },
    };
  }

  get #made(): Channel {
    if (this.#channel === null) throw new Error('the channel has not started');
    return this.#channel;
  }

  get #sender(): ReplySender {
    const { replySender } = this.#made;
    if (replySender === undefined) throw new Error('the channel sends no replies');
    return replySender;
  }

  async #start(start: ProcessStart): Promise<void> {
    const own = programVersion();
    if (start.version !== own) {
      throw new Error(
        `sd-gateway ${own} is installed, and the gateway that runs is ${start.version}: restart it`,
      );
    }
    this.#facts = start.facts;
    this.#channel = await createChannel(
      { ...start.configuration, isolated: false } as ProcessStart['configuration'],
      this.#context(start),
    );
    this.#tellHealth();
    await this.#channel.start();
    this.#tellHealth();
    this.#tellProofs();
  }

  /** The time of the platform's last answer changes without a change of the health. */
  #tellProofs(): void {
    let toldAt: number | undefined;
    const timer = setInterval(() => {
      const provenAt = this.#channel?.health().provenAt;
      if (provenAt !== toldAt) this.#tellHealth();
      toldAt = provenAt;
    }, proofIntervalMs);
    timer.unref();
    this.#end.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  #tellHealth(): void {
    if (this.#channel !== null) this.#peer.tell('health', this.#channel.health());
  }

  #context({ name, directory, credentialsDirectory }: ProcessStart): ChannelContext {
    const peer = this.#peer;
    return {
      name,
      host: {
        directory,
        credentialsDirectory,
        startProgram: async () => {
          throw new Error('a channel in a process of its own starts no program');
        },
      },
      accept: (messages, checkpoint) => peer.call('accept', { messages, checkpoint }),
      receive: (received, checkpoint) => peer.call('receive', { received, checkpoint }),
      keeps: (received) => peer.call('keeps', received),
      checkpoint: (key) => peer.call('checkpoint', key),
      newFiles: () =>
        new NewAttachments(
          {
            putBlob: (content, limitBytes) => this.#putBlob(content, limitBytes),
            removeBlob: (id) => peer.call('removeBlob', id),
          },
          this.#knownFacts.attachmentLimits,
        ),
      openFile: async ({ id }) => {
        const number = await peer.call('openFile', { id });
        return number === null ? null : peer.borrow(number);
      },
      hook: {
        url: () => this.#knownFacts.hookUrl,
        serve: (hook) => {
          this.#hook = hook;
          peer.tell('serve', { limitBytes: hook.limitBytes });
        },
      },
      records: {
        record: (kind, key) => peer.call('record', { kind, key }),
        records: (kind, page) => peer.call('records', { kind, page }),
        putRecord: (record, expected) => peer.call('putRecord', { record, expected }),
        deleteRecord: (kind, key, expected) => peer.call('deleteRecord', { kind, key, expected }),
      },
      leases: {
        claimLease: (kind, lease, owner, leaseMs) =>
          peer.call('claimLease', { kind, name: lease, owner, leaseMs }),
        renewLease: (lease, leaseMs) => peer.call('renewLease', { lease, leaseMs }),
        releaseLease: (lease) => peer.call('releaseLease', lease),
      },
      log: this.#log(),
      clock: systemClock,
      signal: this.#end.signal,
      healthChanged: () => this.#tellHealth(),
    };
  }

  get #knownFacts(): Facts {
    if (this.#facts === null) throw new Error('the channel has not started');
    return this.#facts;
  }

  /** Rejects with what reading the content fails with, as a store does. */
  async #putBlob(content: FileContent, limitBytes: number) {
    let failure: { readonly error: unknown } | null = null;
    const noted = (async function* read() {
      try {
        yield* content;
      } catch (error) {
        failure = { error };
        throw error;
      }
    })();
    try {
      return await this.#peer.call('putBlob', { content: this.#peer.lend(noted), limitBytes });
    } catch (error) {
      const own = failure as { readonly error: unknown } | null;
      throw own === null ? error : own.error;
    }
  }

  #log(): Log {
    const write = (priority: Priority) => (message: string, fields?: LogFields) =>
      this.#peer.tell('log', { priority, message, fields: textOf(fields) });
    const names = Object.keys(priorities) as Priority[];
    return Object.fromEntries(names.map((priority) => [priority, write(priority)])) as unknown as Log;
  }
}

/** JSON has no large numbers. */
function textOf(fields: LogFields | undefined): LogFields | undefined {
  if (fields === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
  );
}
