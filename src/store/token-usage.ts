import type { TokenUsage } from './messages.js';

/** The tokens of a turn as an agent tells them; null: they are no counts, and can't be kept. */
export function tokenUsage(inputTokens: unknown, outputTokens: unknown): TokenUsage | null {
  return isCount(inputTokens) && isCount(outputTokens) ? { inputTokens, outputTokens } : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
