import type { Turn } from '../../store/turns.js';
import { RecentNames } from '../dispatch/recent-names.js';

/** More turns than any start finds under way. */
const mostTold = 10_000;

/** Tells once for each message that its turn begins anew, as an earlier start has begun with it. */
export class RestartNotices {
  readonly #startedAt: number;
  readonly #told = new RecentNames(mostTold);

  /** `startedAt`: when this gateway began, in milliseconds since the Unix epoch. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** True if the turn that begins is such a one, for the first time since the start. */
  isDue({ messageId, acceptedAt, attempt, putBacks }: BegunTurn): boolean {
    const isAgain = acceptedAt < this.#startedAt && (attempt > 1 || putBacks > 0);
    if (!isAgain || this.#told.has(messageId)) return false;
    this.#told.add(messageId);
    return true;
  }
}

type BegunTurn = Pick<Turn, 'messageId' | 'acceptedAt' | 'attempt' | 'putBacks'>;
