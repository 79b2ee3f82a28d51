/** True for an address that belongs to the OpenAI-compatible API. */
export function isOpenAiAddress(url: string): boolean {
  return /^\/v1\/(?:models|chat|responses|conversations)(?:[/?#]|$)/.test(url);
}
