import { pause } from '../lifecycle/effects/waits.js';
import type { ChannelContext } from './channel.js';
import type { SendOutcome } from './reply-sender.js';
import type { SendBudget } from './send-budget.js';
import { retryLater } from './send-failures.js';

/** A reply that the platform wants to wait for longer than this is put off, in milliseconds. */
const longestHoldMs = 5_000;

/**
 * Waits until a send to the chat has its turn. Null: it has. Else the send ends so.
 *
 * @param platform its name, for the reason
 */
export async function awaitTurn(
  budget: SendBudget,
  chat: string,
  platform: string,
  { clock, signal }: { readonly clock: ChannelContext['clock']; readonly signal: AbortSignal },
): Promise<SendOutcome | null> {
  const now = clock.now();
  const heldUntil = budget.heldUntil(chat, now);
  if (heldUntil !== null && heldUntil - now > longestHoldMs) {
    return retryLater(`${platform} has asked for time`, { retryAfterMilliseconds: heldUntil - now });
  }
  const at = budget.reserve(chat, now);
  if (at > now) await pause({ clock, signal }, at - now);
  return signal.aborted ? { kind: 'aborted', inDoubt: false } : null;
}
