import type { SendRate, SendRates } from '../send-budget.js';

/** Limits of Slack on what goes out (docs.slack.dev/apis/web-api/rate-limits). */

/** Some hundreds of messages in a minute for a workspace, and one in a second for a conversation. */
const bot: SendRate = { intervalMs: 200, burst: 10 };
const conversation: SendRate = { intervalMs: 1_000, burst: 3 };

export const slackRates: SendRates = { bot, ofChat: () => conversation };

/** `chat.update` is of tier 3: 50 in a minute for all conversations together. */
const edits: SendRate = { intervalMs: 1_300, burst: 4 };

export const slackEditRates: SendRates = { bot: edits, ofChat: () => edits };

/** Histories are of tier 3 as well. */
const reads: SendRate = { intervalMs: 1_300, burst: 20 };

export const slackReadRates: SendRates = { bot: { intervalMs: 100, burst: 50 }, ofChat: () => reads };
