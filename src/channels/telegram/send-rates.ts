import type { SendRate, SendRates } from '../send-budget.js';

/** Limits of Telegram on all that goes out (core.telegram.org/bots/faq, "My bot is hitting limits"). */

/** 30 in a second for the bot, about one a second for a chat, and 20 in a minute for a group. */
const bot: SendRate = { intervalMs: 50, burst: 10 };
const chat: SendRate = { intervalMs: 1_000, burst: 3 };
const group: SendRate = { intervalMs: 3_750, burst: 4 };

export const telegramRates: SendRates = {
  bot,
  // Ids of groups and channels are negative; public names are those of groups as well.
  ofChat: (id) => (/^\d/.test(id) ? chat : group),
};
