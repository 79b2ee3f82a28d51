import type { IncomingHttpHeaders } from 'node:http';
import type { ChannelConfiguration } from '../../config/channel-table.js';
import type { LogFields, Priority } from '../../log/log.js';
import type { Attachment, JsonValue, ReplyTarget, StoredBlob } from '../../store/messages.js';
import type { AttachmentLimits } from '../../store/new-attachments.js';
import type {
  ExpectedRecord,
  LeaseHold,
  NewRecord,
  RecordOutcome,
  StoredRecord,
} from '../../store/records.js';
import type { Store } from '../../store/store.js';
import type { AcceptOutcome } from '../../store/turns.js';
import type {
  ChannelAddress,
  ChannelCheckpoint,
  ChannelHealth,
  ChannelMessage,
  Received,
  ReceiveOutcome,
} from '../channel.js';
import type { HookAnswer } from '../hooks.js';
import type { ReplyPart, ReplyQuestion, SendOutcome } from '../reply-sender.js';

/**
 * The port of a channel (src/channels/channel.ts) as calls between the gateway and the channel's process. Both are of one
 * version. A file is a number by which its pieces are asked for. Calls of which nothing is said answer null.
 */

/** Settings of the gateway that may change while the channel runs. */
export interface Facts {
  readonly attachmentLimits: AttachmentLimits;
  readonly hookUrl: string | null;
}

export interface ProcessStart {
  /** The gateway's: a newer program may be installed in its place. */
  readonly version: string;
  readonly name: string;
  readonly configuration: ChannelConfiguration;
  readonly directory: string;
  readonly credentialsDirectory: string | null;
  readonly facts: Facts;
}

/** The calls that the channel's process takes. */
export type ChannelCalls = {
  /** Makes the channel and starts it. */
  readonly start: (start: ProcessStart) => Promise<void>;
  readonly stopAccepting: (nothing: null) => void;
  readonly close: (timeoutMs: number) => Promise<void>;
  readonly facts: (facts: Facts) => void;
  /** A process that does not answer hangs. */
  readonly ping: (nothing: null) => void;
  readonly say: (said: { readonly to: ChannelAddress; readonly text: string }) => Promise<void>;
  readonly send: (part: ReplyPart, signal: AbortSignal) => Promise<SendOutcome>;
  readonly reconcile: (
    part: ReplyPart,
    signal: AbortSignal,
  ) => Promise<{ readonly receipt: JsonValue } | null>;
  readonly preview: (
    shown: { readonly target: ReplyTarget; readonly text: string; readonly receipt: JsonValue | null },
    signal: AbortSignal,
  ) => Promise<JsonValue>;
  readonly showTyping: (target: ReplyTarget, signal: AbortSignal) => Promise<void>;
  readonly ask: (
    asked: { readonly target: ReplyTarget; readonly question: ReplyQuestion },
    signal: AbortSignal,
  ) => Promise<JsonValue>;
  readonly hook: (request: {
    readonly headers: IncomingHttpHeaders;
    /** A file. */
    readonly body: number;
    readonly client: string | null;
  }) => Promise<HookAnswer>;
};

/** The calls that the gateway takes. */
export type GatewayCalls = {
  readonly accept: (taken: {
    readonly messages: readonly ChannelMessage[];
    readonly checkpoint?: ChannelCheckpoint | undefined;
  }) => Promise<readonly AcceptOutcome[]>;
  readonly receive: (taken: {
    readonly received: readonly Received[];
    readonly checkpoint?: ChannelCheckpoint | undefined;
  }) => Promise<readonly ReceiveOutcome[]>;
  readonly keeps: (received: Received) => Promise<boolean>;
  readonly checkpoint: (key: string) => Promise<JsonValue | null>;
  /** Null: the file is longer than that. */
  readonly putBlob: (blob: {
    readonly content: number;
    readonly limitBytes: number;
  }) => Promise<StoredBlob | null>;
  readonly removeBlob: (id: string) => Promise<void>;
  /** Gives a file; null: it was forgotten. */
  readonly openFile: (file: Pick<Attachment, 'id'>) => Promise<number | null>;
  readonly record: (of: { readonly kind: string; readonly key: string }) => Promise<StoredRecord | null>;
  readonly records: (of: {
    readonly kind: string;
    readonly page: Parameters<Store['records']>[1];
  }) => ReturnType<Store['records']>;
  readonly putRecord: (put: {
    readonly record: NewRecord;
    readonly expected?: ExpectedRecord | undefined;
  }) => Promise<RecordOutcome>;
  readonly deleteRecord: (of: {
    readonly kind: string;
    readonly key: string;
    readonly expected?: number | undefined;
  }) => Promise<boolean>;
  readonly claimLease: (
    claim: Omit<LeaseHold, 'epoch'> & { readonly leaseMs: number },
  ) => Promise<number | null>;
  readonly renewLease: (renewal: { readonly lease: LeaseHold; readonly leaseMs: number }) => Promise<boolean>;
  readonly releaseLease: (lease: LeaseHold) => Promise<boolean>;
  /** Requests to the channel's address become calls of `hook`. */
  readonly serve: (hook: { readonly limitBytes: number }) => void;
  readonly log: (record: {
    readonly priority: Priority;
    readonly message: string;
    readonly fields?: LogFields | undefined;
  }) => void;
  readonly health: (health: ChannelHealth) => void;
};

/** Longest line to the gateway, which holds a batch of messages, and to the channel's process, in bytes. */
export const longestToGatewayBytes = 32 * 1024 ** 2;
export const longestToChannelBytes = 512 * 1024 ** 2;
