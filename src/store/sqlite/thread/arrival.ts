import type { DeliveryHold } from '../../deliveries.js';
import { turnIdOf } from '../../ids.js';
import type { Message, NewMessage } from '../../messages.js';
import type { Turn, TurnHold } from '../../turns.js';
import type { Accepted } from './protocol.js';

/** Between the threads only that travels which the other one doesn't know. */

/** The part of a claim that has to travel to the other thread: its texts may be long. */
export function hold({ messageId, session, owner, epoch }: TurnHold | DeliveryHold): TurnHold {
  return { messageId, session, owner, epoch };
}

/** A copy: a view into a larger buffer would take all of that buffer along to the other thread. */
export function forThread(message: NewMessage): NewMessage {
  const { fingerprint } = message;
  return { ...message, fingerprint: fingerprint === null ? null : new Uint8Array(fingerprint) };
}

/** The message as the store has it now. */
export function newlyAccepted(
  message: NewMessage,
  { seq, acceptedAt, epoch, generation }: Accepted & { readonly outcome: 'accepted' },
): Message {
  const { id, session, text, metadata, replyTo, channel, attachments = [] } = message;
  return {
    id,
    session,
    seq,
    state: epoch === null ? 'queued' : 'running',
    text,
    metadata,
    replyTo,
    sender: message.sender ?? null,
    channel,
    acceptedAt,
    attempts: epoch === null ? 0 : 1,
    reply: null,
    delivery: null,
    error: null,
    changedAt: acceptedAt,
    generation,
    waitingFor: null,
    collectedIn: null,
    ...(attachments.length === 0 ? {} : { attachments }),
  };
}

export function firstTurn(
  message: Message,
  { owner, epoch, agent }: Pick<Turn, 'owner' | 'epoch' | 'agent'>,
): Turn {
  const { id, session, seq, text, metadata, sender, channel, replyTo, acceptedAt, generation, attachments } =
    message;
  return {
    turnId: turnIdOf(id),
    messageId: id,
    session,
    seq,
    text,
    metadata,
    sender,
    channel,
    collected: [],
    replyTo,
    acceptedAt,
    agent,
    generation,
    attempt: 1,
    putBacks: 0,
    deltas: 0,
    owner,
    epoch,
    ...(attachments === undefined ? {} : { attachments }),
  };
}
