/** Values as the columns of the database have them: ids, JSON, reply targets. */

import { isMessageId } from '../../ids.js';
import type { JsonValue, Metadata, ReplyTarget } from '../../messages.js';

/** The 16 bytes of a UUID (RFC 9562) in its text form. Throws a TypeError when it is none. */
export function idToBytes(id: string): Buffer {
  if (!isMessageId(id)) throw new TypeError(`The message id "${id}" is not a UUID.`);
  return hexToBytes(id);
}

/** The same; null for a text that is no UUID: no such message can exist. */
export function idToBytesOrNull(id: string): Buffer | null {
  return isMessageId(id) ? hexToBytes(id) : null;
}

function hexToBytes(id: string): Buffer {
  const hex = id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);
  return Buffer.from(hex, 'hex');
}

/** The text form of a UUID, in lower case. */
export function idToText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function parseMetadata(json: string): Metadata {
  return JSON.parse(json);
}

export function parseJson(json: string): JsonValue {
  return JSON.parse(json);
}

/** The target of a reply, as the table of messages has it. */
export interface TargetRow {
  readonly reply_channel: string;
  /** The target's address; null if the reply goes nowhere. */
  readonly reply_address: string | null;
  readonly reply_options: string | null;
}

/** Columns of the table of messages, called `m`. */
export const targetColumns = 'm.reply_channel, m.reply_address, m.reply_options';

export function toTarget({ reply_channel, reply_address, reply_options }: TargetRow): ReplyTarget | null {
  if (reply_address === null) return null;
  const options = reply_options === null ? {} : parseMetadata(reply_options);
  return { channel: reply_channel, address: reply_address, options };
}

export function fromTarget(target: ReplyTarget | null): TargetRow {
  if (target === null) return { reply_channel: 'webhook', reply_address: null, reply_options: null };
  const { channel, address, options } = target;
  const isPlain = Object.keys(options).length === 0;
  return {
    reply_channel: channel,
    reply_address: address,
    reply_options: isPlain ? null : JSON.stringify(options),
  };
}
