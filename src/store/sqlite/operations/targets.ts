import type { ReplyTarget } from '../../messages.js';
import { parseMetadata } from './json.js';

/** Where a reply goes to, as the table of messages has it. */
export interface TargetRow {
  readonly reply_channel: string;
  /** Null: nowhere. */
  readonly reply_address: string | null;
  readonly reply_options: string | null;
}

/** Of a table of messages that is called `m`. */
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
