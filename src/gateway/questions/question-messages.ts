import type { Channel } from '../../channels/channel.js';
import type { ReplySender } from '../../channels/reply-sender.js';
import type { AskedQuestion } from '../../channels/surroundings.js';
import type { Clock } from '../../lifecycle/effects/clock.js';
import { answeredWithin } from '../../lifecycle/effects/waits.js';
import type { Log } from '../../log/log.js';
import type { ReplyTarget } from '../../store/messages.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';
import { ownCommand } from '../../text/own-command.js';
import { formatTimeSpan } from '../../text/time-span.js';
import { turnFields } from '../dispatch/policy.js';

/** The waits between tries to put a question, in milliseconds: it is open for some minutes. */
const waitsMs = [2_000, 8_000, 30_000];
const callTimeoutMs = 10_000;
/** The arguments of a call are cut, in characters. */
const longestInput = 600;

export interface QuestionMessagesOptions {
  readonly senderOf: (channel: string) => ReplySender | null;
  readonly sayOf: (channel: string) => Channel['say'];
  readonly log: Log;
  readonly clock: Clock;
}

/** Puts questions of agents to the people in the channel that the reply goes to. They are answered by a chat word. */
export class QuestionMessages {
  readonly #options: QuestionMessagesOptions;

  constructor(options: QuestionMessagesOptions) {
    this.#options = options;
  }

  /** The question is on disk. If it can't be put, the log says so, and it is answered in another way or not at all. */
  async put(question: AskedQuestion, turn: Turn): Promise<void> {
    const { replyTo } = turn;
    if (replyTo === null || replyTo.channel === 'webhook') return;
    for (const waitMs of [...waitsMs, null]) {
      const failure = await this.#try(question, replyTo);
      if (failure === null) return;
      const { log, clock } = this.#options;
      if (waitMs === null || clock.now() + waitMs >= question.expiresAt) {
        const text = `The channel ${replyTo.channel} could not put question ${question.code} to its people: ${failure}. Answer it with "${ownCommand(`approve ${question.code}`)}".`;
        log.warning(text, turnFields(turn));
        return;
      }
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
  }

  /** Gives the reason of a failure; null: it was put, or the channel has no way to put one. */
  async #try(question: AskedQuestion, target: ReplyTarget): Promise<string | null> {
    const { senderOf, sayOf, clock } = this.#options;
    const sender = senderOf(target.channel);
    if (sender === null) return 'the channel does not run';
    const text = questionText(question, clock.now());
    const say = sayOf(target.channel);
    const put = async (signal: AbortSignal): Promise<void> => {
      const asked = { id: question.code, text, choices: ['approve', 'deny'] };
      if (sender.ask !== undefined) await sender.ask(target, asked, signal);
      else await say?.(target, text);
    };
    try {
      await answeredWithin(clock, callTimeoutMs, put);
      return null;
    } catch (error) {
      return errorMessage(error);
    }
  }
}

export function questionText({ code, kind, title, input, expiresAt }: AskedQuestion, now: number): string {
  const isLong = input !== null && input.length > longestInput;
  const shown = isLong ? `${input.slice(0, longestInput)}…` : input;
  const left = formatTimeSpan(Math.max(0, expiresAt - now));
  return [
    `May I do this? ${title} (${kind})`,
    ...(shown === null ? [] : [shown]),
    `/approve ${code} allows it, /deny ${code} does not. Without an answer within ${left} it is a no.`,
  ].join('\n');
}
