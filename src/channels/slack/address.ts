/** Names of Slack's conversations and of threads in them: pure functions. */

export interface SlackAddress {
  /** The id of a channel, a group or a direct message. */
  readonly channel: string;
  /** The `ts` of the message that the thread begins with; null: none. */
  readonly thread: string | null;
}

/** The name of a conversation, which is also the address of replies to it: "C0123", or "C0123:1700000000.000100". */
export function conversationOf({ channel, thread }: SlackAddress): string {
  return thread === null ? channel : `${channel}:${thread}`;
}

/** Null: it is the address of no conversation. */
export function parseAddress(address: string): SlackAddress | null {
  const match = /^([CDG][A-Z0-9]{1,30})(?::(\d{1,12}\.\d{6}))?$/.exec(address);
  if (match === null) return null;
  const [, channel = '', thread = null] = match;
  return { channel, thread };
}

/** Direct messages have a letter of their own; a conversation of several people is a group. */
export function isDirect(channel: string): boolean {
  return channel.startsWith('D');
}

/** Orders two `ts`, which are seconds with six digits behind the point: numbers of floating point lose the last ones. */
export function compareTs(a: string, b: string): number {
  const [left, right] = [a, b].map((ts) => ts.padStart(24, '0')) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}
