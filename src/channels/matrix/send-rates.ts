import type { SendRate, SendRates } from '../send-budget.js';

/** The pace of what goes out. Homeservers have limits of their own, and tell them by refusing what is beyond. */

const account: SendRate = { intervalMs: 100, burst: 20 };
const room: SendRate = { intervalMs: 1_000, burst: 5 };

export const matrixRates: SendRates = { bot: account, ofChat: () => room };

/**
 * A homeserver counts edits as messages, and Synapse lets an account send one in five seconds in the long run
 * (`rc_message`). Previews take no more than half of that.
 */
export const previewRates: SendRates = {
  bot: { intervalMs: 10_000, burst: 3 },
  ofChat: () => ({ intervalMs: 10_000, burst: 2 }),
};
