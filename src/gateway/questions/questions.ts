import type { AgentQuestion } from '../../agents/agent.js';
import type { AskedQuestion, QuestionActions, QuestionAnswered } from '../../channels/surroundings.js';
import type { Log } from '../../log/log.js';
import type { Page, PageRequest } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { ownCommand } from '../../text/own-command.js';
import { turnFields } from '../dispatch/policy.js';
import {
  answerKey,
  answerKind,
  askedQuestion,
  keptQuestion,
  newCode,
  openQuestion,
  type QuestionValue,
  questionKind,
  questionValue,
  storedValue,
  writtenCode,
} from './question-record.js';

export interface QuestionsOptions {
  readonly store: Pick<Store, 'record' | 'records' | 'putRecord' | 'deleteRecord' | 'message'>;
  readonly log: Log;
  /** One id for each start of a gateway. */
  readonly owner: string;
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: () => number;
  /** An agent asks, and that is on disk. */
  readonly onAsked: (question: AskedQuestion, turn: Turn) => void;
}

type Effect = 'allow' | 'deny';

/** Time between two looks for an answer that another gateway on the same store took. */
const lookEveryMs = 2_000;

/** Questions are shown for so long after they were asked. */
const shownForMs = 7 * 86_400_000;

/** Asks people before an agent does something. Questions and answers are in the store, so that they outlive this gateway. */
export class Questions implements QuestionActions {
  readonly #options: QuestionsOptions;
  /** Called when an answer was taken here, by the key of the answer. */
  readonly #waiting = new Map<string, () => void>();

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /**
   * Asks a person. Resolves with the id of an option; null: no, as nobody has answered in time. An answer that came while
   * no agent waited, as after a crash, counts for the same call of the same turn, once.
   */
  async ask(turn: Turn, question: AgentQuestion, signal: AbortSignal): Promise<string | null> {
    const key = answerKey(turn, question);
    const before = await this.#takeAnswer(key);
    if (before !== null) return optionOf(question, before);
    const { store, log, owner, timeoutMs, onAsked } = this.#options;
    const now = Date.now();
    const value = questionValue(turn, question, { code: newCode(), owner, now, timeoutMs: timeoutMs() });
    const { code, title, kind } = value;
    await store.putRecord(
      { kind: questionKind, key: code, value: storedValue(value), expiresInMs: timeoutMs() + shownForMs },
      null,
    );
    log.notice(
      `An agent asks for permission: ${title} (${kind}). Answer with "${ownCommand(`approve ${code}`)}" or "${ownCommand(`deny ${code}`)}".`,
      turnFields(turn),
    );
    onAsked(openQuestion(value), turn);
    const answer = await this.#answer(key, value.expiresAt, signal);
    if (answer === null) await this.#settle(code, signal.aborted ? 'expired' : 'timeout');
    if (answer === null && !signal.aborted) {
      log.notice(`Nobody has answered question ${code} in time, which is a no.`, turnFields(turn));
    }
    return answer === null ? null : optionOf(question, answer);
  }

  /**
   * Says of the questions of earlier starts that they have expired. Those of another gateway that runs are answered all the
   * same: an expired question takes an answer.
   */
  async expireEarlier(): Promise<void> {
    const { store, owner } = this.#options;
    let after: string | null = null;
    do {
      const { items, next } = await store.records(questionKind, { limit: 100, after });
      for (const record of items) {
        const { state, code, owner: asker } = keptQuestion(record);
        if (state === null && asker !== owner) await this.#settle(code, 'expired');
      }
      after = next;
    } while (after !== null);
  }

  async list(page: PageRequest): Promise<Page<AskedQuestion>> {
    const { items, next } = await this.#options.store.records(questionKind, page);
    return { items: await Promise.all(items.map((record) => this.#asked(keptQuestion(record)))), next };
  }

  async question(code: string): Promise<AskedQuestion | null> {
    const record = await this.#options.store.record(questionKind, writtenCode(code));
    return record === null ? null : this.#asked(keptQuestion(record));
  }

  async answer(code: string, effect: Effect): Promise<QuestionAnswered | null> {
    const { store, log } = this.#options;
    const record = await store.record(questionKind, writtenCode(code));
    if (record === null) return null;
    const value = keptQuestion(record);
    const message = await store.message(value.messageId);
    // Its turn runs, or runs again.
    const isAsked = message?.state === 'running' || message?.state === 'queued';
    const isOpen = value.state === null || value.state === 'expired';
    if (!isOpen || !isAsked || Date.now() > value.expiresAt) {
      return { outcome: 'too-late', question: askedQuestion(value, message) };
    }
    // A crash in between loses the answer, and the agent asks anew. The other way round it could count twice.
    const state = effect === 'allow' ? 'allowed' : 'denied';
    const settled = await store.putRecord(
      {
        ...kept(record.expiresAt),
        kind: questionKind,
        key: value.code,
        value: storedValue({ ...value, state }),
      },
      record.version,
    );
    if (settled.outcome === 'conflict') {
      const now = settled.record === null ? value : keptQuestion(settled.record);
      return { outcome: 'too-late', question: askedQuestion(now, message) };
    }
    await store.putRecord({
      kind: answerKind,
      key: value.answerKey,
      value: effect,
      expiresInMs: Math.max(1, value.expiresAt - Date.now()),
    });
    log.notice(`Question ${value.code} was answered: ${state} (${value.title}).`, {
      SD_GATEWAY_SESSION: value.session,
      SD_GATEWAY_MESSAGE: value.messageId,
    });
    this.#waiting.get(value.answerKey)?.();
    return { outcome: 'answered', question: askedQuestion({ ...value, state }, message) };
  }

  async #asked(value: QuestionValue): Promise<AskedQuestion> {
    return askedQuestion(value, await this.#options.store.message(value.messageId));
  }

  /** Null: there was none in time, or the turn has ended. */
  async #answer(key: string, expiresAt: number, signal: AbortSignal): Promise<Effect | null> {
    while (!signal.aborted) {
      const answer = await this.#takeAnswer(key);
      if (answer !== null) return answer;
      const leftMs = expiresAt - Date.now();
      if (leftMs <= 0) return null;
      await this.#answered(key, Math.min(leftMs, lookEveryMs), signal);
    }
    return null;
  }

  /** Resolves when an answer was taken, after the time, or when the signal is aborted. */
  #answered(key: string, withinMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(end, withinMs);
      signal.addEventListener('abort', end);
      this.#waiting.set(key, end);
    });
  }

  /** Takes the answer away, so that it counts once; null: there is none. */
  async #takeAnswer(key: string): Promise<Effect | null> {
    const { store } = this.#options;
    const record = await store.record(answerKind, key);
    if (record === null || !(await store.deleteRecord(answerKind, key, record.version))) return null;
    return record.value === 'allow' ? 'allow' : 'deny';
  }

  async #settle(code: string, state: 'timeout' | 'expired'): Promise<void> {
    const { store } = this.#options;
    const record = await store.record(questionKind, code);
    if (record === null || keptQuestion(record).state !== null) return;
    await store.putRecord(
      {
        ...kept(record.expiresAt),
        kind: questionKind,
        key: code,
        value: storedValue({ ...keptQuestion(record), state }),
      },
      record.version,
    );
  }
}

function kept(expiresAt: number | null) {
  return { expiresInMs: expiresAt === null ? null : Math.max(1, expiresAt - Date.now()) };
}

/** The first option of that effect; null: the agent offers none, which is a no. */
function optionOf({ options }: AgentQuestion, effect: Effect): string | null {
  return options.find((option) => option.effect === effect)?.id ?? null;
}
