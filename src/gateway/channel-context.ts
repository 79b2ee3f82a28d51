import { hash } from 'node:crypto';
import type { ChannelContext, ChannelMessage } from '../channels/channel.js';
import { sessionOf } from '../channels/session-name.js';
import { systemClock } from '../lifecycle/effects/clock.js';
import type { Log, LogFields } from '../log/log.js';
import { newId } from '../store/ids.js';
import type { NewMessage } from '../store/messages.js';
import { type Checkpoint, checkpointKind } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { AcceptOutcome } from '../store/turns.js';

export interface ChannelContextOptions {
  readonly name: string;
  readonly store: Pick<Store, 'record' | 'records' | 'putRecord' | 'deleteRecord'>;
  readonly accept: (
    messages: readonly NewMessage[],
    checkpoint: Checkpoint | null,
  ) => Promise<readonly AcceptOutcome[]>;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly healthChanged: () => void;
}

/** Makes what a channel is given. */
export function channelContext(options: ChannelContextOptions): ChannelContext {
  const { name, store, accept, log, signal, healthChanged } = options;
  return {
    name,
    accept: (messages, checkpoint) =>
      accept(
        messages.map((message) => newMessage(name, message)),
        checkpoint === undefined ? null : { channel: name, ...checkpoint },
      ),
    checkpoint: async (key) => (await store.record(checkpointKind(name), key))?.value ?? null,
    records: store,
    log: named(log, name),
    clock: systemClock,
    signal,
    healthChanged,
  };
}

function newMessage(channel: string, message: ChannelMessage): NewMessage {
  const { conversation, text, metadata = {}, sender = null, id, replyTo, replyIdempotent = true } = message;
  return {
    id: newId(),
    session: sessionOf(channel, conversation),
    text,
    metadata,
    replyTo: replyTo === null ? null : { channel, address: replyTo.address, options: replyTo.options ?? {} },
    replyIdempotent,
    // The platform's id alone says that it is the same message: an edit of it may come under the id again.
    idempotencyKey: id,
    fingerprint: id === null ? null : hash('sha256', id, 'buffer'),
    sender,
    channel,
  };
}

/** Has the channel's name in each record. */
function named(log: Log, channel: string): Log {
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
