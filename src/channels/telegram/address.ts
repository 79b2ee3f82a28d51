/** Names of chats in Telegram, and of topics in them: pure functions. */

export interface ChatAddress {
  /** The id, or "@name" of a public one. */
  readonly chatId: number | string;
  /** A topic of it; null: none, or the general one. */
  readonly threadId: number | null;
}

/** The name of a conversation, which is also the address of replies to it: "-100123", or "-100123:7" for a topic. */
export function conversationOf(chatId: number, threadId: number | null): string {
  return threadId === null ? String(chatId) : `${chatId}:${threadId}`;
}

/** Null: it is the address of no chat. */
export function parseAddress(address: string): ChatAddress | null {
  const match = /^(?:(-?\d{1,16})|(@[A-Za-z]\w{3,31}))(?::(\d{1,16}))?$/.exec(address);
  if (match === null) return null;
  const [, id, name, thread] = match;
  return { chatId: name ?? Number(id), threadId: thread === undefined ? null : Number(thread) };
}
