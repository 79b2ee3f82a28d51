import { hash } from 'node:crypto';
import { boundedMessage } from '../channels/bounded-message.js';
import type { ChannelContext, ChannelMessage } from '../channels/channel.js';
import type { ChannelHost } from '../channels/channel-program.js';
import type { Reception } from '../channels/conversation/reception.js';
import { Hooks, hookPath } from '../channels/hooks.js';
import type { ReplyGuarantee } from '../channels/reply-sender.js';
import { sessionOf } from '../channels/session-name.js';
import { systemClock } from '../lifecycle/effects/clock.js';
import type { Log, LogFields } from '../log/log.js';
import { newId } from '../store/ids.js';
import type { NewMessage } from '../store/messages.js';
import { type AttachmentLimits, NewAttachments } from '../store/new-attachments.js';
import { type Checkpoint, checkpointKind } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { AcceptOutcome } from '../store/turns.js';

export interface ChannelContextOptions {
  readonly name: string;
  readonly host: ChannelHost;
  /** Decides about messages of people. Default: `receive` takes nobody's. */
  readonly reception?: (context: ReceptionContext) => Pick<Reception, 'receive' | 'keeps'>;
  readonly store: Pick<
    Store,
    | 'record'
    | 'records'
    | 'putRecord'
    | 'deleteRecord'
    | 'putBlob'
    | 'openBlob'
    | 'removeBlob'
    | 'claimLease'
    | 'renewLease'
    | 'releaseLease'
  >;
  readonly attachmentLimits: () => AttachmentLimits;
  readonly accept: (
    messages: readonly NewMessage[],
    checkpoint: Checkpoint | null,
  ) => Promise<readonly AcceptOutcome[]>;
  /** Requests to channels. Default: none reach it. */
  readonly hooks?: Hooks;
  /** `http.public_url`. Default: it is not set. */
  readonly publicUrl?: () => string | null;
  /** The guarantee of another channel for replies. Default: it gives none. */
  readonly guaranteeOf?: (channel: string) => ReplyGuarantee | null;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly healthChanged: () => void;
}

/** The parts of a channel's context that its reception needs. */
export type ReceptionContext = Pick<ChannelContext, 'name' | 'accept' | 'log' | 'clock'>;

/** For channels that no people write to. */
export const noReception: Pick<Reception, 'receive' | 'keeps'> = {
  receive: async () => {
    throw new Error('The channel has no rules about people.');
  },
  keeps: async () => false,
};

/** Makes what a channel is given. */
export function channelContext(options: ChannelContextOptions): ChannelContext {
  const { name, host, store, signal, healthChanged } = options;
  const { hooks = new Hooks() } = options;
  const log = namedLog(options.log, name);
  const clock = systemClock;
  const accept: ChannelContext['accept'] = (messages, checkpoint) =>
    take(
      options,
      messages.map(boundedMessage).map((message) => {
        const other = message.replyTo?.channel;
        const guarantee = other === undefined ? null : options.guaranteeOf?.(other);
        return { ...newMessage(name, message), ...guaranteed(guarantee ?? null) };
      }),
      checkpoint === undefined ? null : { channel: name, ...checkpoint },
    );
  const reception = options.reception?.({ name, accept, log, clock }) ?? noReception;
  return {
    name,
    host,
    accept,
    receive: (received, checkpoint) => reception.receive(received.map(boundedMessage), checkpoint),
    keeps: (received) => reception.keeps(boundedMessage(received)),
    newFiles: () => new NewAttachments(store, options.attachmentLimits()),
    openFile: ({ id }) => store.openBlob(id),
    checkpoint: async (key) => (await store.record(checkpointKind(name), key))?.value ?? null,
    hook: {
      url: () => {
        const url = options.publicUrl?.() ?? null;
        return url === null ? null : `${url}${hookPath(name)}`;
      },
      serve: (hook) => hooks.serve(name, hook, signal),
    },
    records: store,
    leases: store,
    log,
    clock,
    signal,
    healthChanged,
  };
}

async function take(
  { store, accept }: ChannelContextOptions,
  messages: readonly NewMessage[],
  checkpoint: Checkpoint | null,
): Promise<readonly AcceptOutcome[]> {
  const outcomes = await accept(messages, checkpoint);
  const keeping: readonly (string | undefined)[] = ['accepted', 'full', 'set-aside'];
  const unused = messages.filter((_message, index) => !keeping.includes(outcomes[index]?.outcome));
  const files = unused.flatMap(({ attachments = [] }) => attachments);
  // The store forgets in a day what can't be removed now.
  await Promise.allSettled(files.map(({ id }) => store.removeBlob(id)));
  return outcomes;
}

/** The channel that sends the reply knows better than the one that has taken the message. Null: nobody does. */
function guaranteed(guarantee: ReplyGuarantee | null): Partial<NewMessage> {
  if (guarantee === null) return {};
  return { replyIdempotent: guarantee.idempotent, replyUnknown: guarantee.unknown };
}

function newMessage(channel: string, message: ChannelMessage): NewMessage {
  const { conversation, text, metadata = {}, sender = null, id, replyTo, replyIdempotent = true } = message;
  const { attachments = [], replyUnknown = null, setAside } = message;
  return {
    id: newId(),
    session: sessionOf(channel, conversation),
    text,
    metadata,
    replyTo: replyTo === null ? null : { channel, options: {}, ...replyTo },
    replyIdempotent,
    replyUnknown,
    // The platform's id alone says that it is the same message: an edit of it may come under the id again.
    idempotencyKey: id,
    fingerprint: id === null ? null : hash('sha256', id, 'buffer'),
    sender,
    channel,
    attachments,
    deadIfFull: true,
    ...(setAside === undefined ? {} : { setAside }),
  };
}

/** Has the channel's name in each record. */
export function namedLog(log: Log, channel: string): Log {
  const withName = (fields: LogFields = {}): LogFields => ({ SD_GATEWAY_CHANNEL: channel, ...fields });
  return {
    crit: (message, fields) => log.crit(message, withName(fields)),
    err: (message, fields) => log.err(message, withName(fields)),
    warning: (message, fields) => log.warning(message, withName(fields)),
    notice: (message, fields) => log.notice(message, withName(fields)),
    info: (message, fields) => log.info(message, withName(fields)),
    debug: (message, fields) => log.debug(message, withName(fields)),
  };
}
