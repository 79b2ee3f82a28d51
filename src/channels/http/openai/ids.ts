/** Ids of OpenAI's forms that follow from a message's: nothing has to be kept to find it again. */

export function idOf(prefix: 'chatcmpl' | 'resp' | 'msg', messageId: string): string {
  return `${prefix}-${messageId.replaceAll('-', '')}`.replace(/^(resp|msg)-/, '$1_');
}

/** The message of a response; null: it is no id of one. */
export function messageIdOf(responseId: string): string | null {
  const match = /^resp_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(responseId);
  return match === null ? null : match.slice(1).join('-');
}
