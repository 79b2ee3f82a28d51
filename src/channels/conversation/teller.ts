import { errorMessage } from '../../text/failure-text.js';
import type { Channel, ChannelAddress, ChannelContext } from '../channel.js';
import { Complaints } from '../complaints.js';
import { isTold, type NoticeLevel, type NoticeName, type TextName, type Texts, textFor } from './texts.js';

export interface TellerOptions extends Pick<ChannelContext, 'name' | 'log' | 'clock'> {
  /** The channel's `say`; undefined: it has none, or does not run. */
  readonly say: () => Channel['say'];
  readonly level: NoticeLevel;
  readonly texts: Texts;
}

/** Time in which one conversation is told the same at most once, in milliseconds. */
const pauseMs = 60_000;
/** Conversations whose last notice is remembered. */
const mostRemembered = 1_000;
/** Texts on their way at once: a platform that hangs must not fill the memory. */
const mostUnderWay = 100;

/** Tells people short texts. One that can't be sent is on record, and is not sent again. */
export class Teller {
  readonly #options: TellerOptions;
  readonly #complaints: Complaints;
  /** When each was told last, by the notice and the address, the oldest first. */
  readonly #told = new Map<string, number>();
  #underWay = 0;

  constructor(options: TellerOptions) {
    this.#options = options;
    this.#complaints = new Complaints(options);
  }

  /** Answers what somebody has asked for. */
  answer(to: ChannelAddress | null, text: string): void {
    const { name, say } = this.#options;
    const send = say();
    if (to === null || send === undefined) return;
    if (this.#underWay >= mostUnderWay) {
      this.#complaints.note(
        'busy',
        `A text to somebody by the channel ${name} was left out: ${mostUnderWay} are on their way.`,
      );
      return;
    }
    this.#underWay += 1;
    send(to, text)
      .catch((error: unknown) =>
        this.#complaints.note(
          'say',
          `A text to somebody by the channel ${name} was not sent: ${errorMessage(error)}.`,
        ),
      )
      .finally(() => {
        this.#underWay -= 1;
      });
  }

  /** A text with its values put in. */
  text(name: TextName, values: Readonly<Record<string, string | number>> = {}): string {
    return textFor(this.#options.texts, name, values);
  }

  /** The text of a notice; null: the channel's `notices` keeps it back. */
  notice(notice: NoticeName): string | null {
    return isTold(notice, this.#options.level) ? this.text(notice) : null;
  }

  /** Tells what nobody has asked for: once a minute, and only what the channel's `notices` lets through. */
  notify(to: ChannelAddress | null, notice: NoticeName): void {
    const { clock } = this.#options;
    const text = this.notice(notice);
    if (to === null || text === null) return;
    const key = `${notice} ${to.address}`;
    const now = clock.now();
    if (now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < pauseMs) return;
    this.#told.delete(key);
    this.#told.set(key, now);
    const [oldest] = this.#told.keys();
    if (this.#told.size > mostRemembered && oldest !== undefined) this.#told.delete(oldest);
    this.answer(to, text);
  }
}
