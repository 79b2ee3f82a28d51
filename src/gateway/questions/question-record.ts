import { hash, randomInt } from 'node:crypto';
import type { AgentQuestion } from '../../agents/agent.js';
import type { AskedQuestion, QuestionAuthor, QuestionState } from '../../channels/surroundings.js';
import type { JsonValue, Message } from '../../store/messages.js';
import type { StoredRecord } from '../../store/records.js';
import type { Turn } from '../../store/turns.js';
import { cutText } from '../../text/copied-start.js';

/** Records of questions, by their codes. */
export const questionKind = 'question';
/** Records of answers that no agent has taken yet, by the turn and the call. */
export const answerKind = 'question-answer';

/** Arguments that are shown, in characters of their JSON. */
const longestInput = 4_000;
const longestTitle = 500;
const longestKind = 100;
const mostOptions = 50;

/** Letters and digits that are hard to mistake for each other: 40 bits in all. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeLength = 8;

export function newCode(): string {
  return Array.from({ length: codeLength }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** A code as a person may write it: in small letters, or with a hyphen. */
export function writtenCode(text: string): string {
  return text.toUpperCase().replaceAll('-', '');
}

/** A question as it is kept. */
export interface QuestionValue extends Omit<AskedQuestion, 'state'> {
  /** Null: nobody has answered, and nobody has given up. "expired": its attempt was cut off, and may come again. */
  readonly state: Exclude<QuestionState, 'open'> | null;
  /** The gateway that asks: one id for each of its starts. */
  readonly owner: string;
  /** The record of its answer. */
  readonly answerKey: string;
}

/** The same call in the same turn has the same key. */
export function answerKey({ turnId }: Turn, { kind, title, input }: AgentQuestion): string {
  return `${turnId}/${hash('sha256', JSON.stringify([kind, title, input]))}`;
}

export function questionValue(
  turn: Turn,
  question: AgentQuestion,
  asked: {
    readonly code: string;
    readonly owner: string;
    readonly now: number;
    readonly timeoutMs: number;
  },
): QuestionValue {
  const { code, owner, now, timeoutMs } = asked;
  const input = question.input === null ? null : JSON.stringify(question.input);
  const isCut = input !== null && input.length > longestInput;
  return {
    code,
    session: turn.session,
    messageId: turn.messageId,
    attempt: turn.attempt,
    agent: turn.agent ?? 'default',
    kind: cutText(question.kind, longestKind),
    title: cutText(question.title, longestTitle),
    input: input === null ? null : cutText(input, longestInput),
    inputIsCut: isCut,
    options: question.options
      .slice(0, mostOptions)
      .map(({ name, effect }) => ({ name: cutText(name, longestTitle), effect })),
    askedAt: now,
    expiresAt: now + timeoutMs,
    state: null,
    author: authorOf(turn),
    owner,
    answerKey: answerKey(turn, question),
  };
}

/** A turn of several persons' messages is nobody's: each could have the agent do what another one allows. */
function authorOf({ channel, sender, collected }: Turn): QuestionAuthor | null {
  const isAlone = sender !== null && collected.every((part) => part.sender === sender);
  return isAlone ? { channel, id: sender } : null;
}

/** The value as a store takes it. */
export function storedValue(value: QuestionValue): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}

export function keptQuestion(record: StoredRecord): QuestionValue {
  // An earlier version has kept no author.
  const value = record.value as unknown as Partial<Pick<QuestionValue, 'author'>> &
    Omit<QuestionValue, 'author'>;
  return { ...value, author: value.author ?? null };
}

export function openQuestion({ answerKey: _, owner: _owner, ...question }: QuestionValue): AskedQuestion {
  return { ...question, state: 'open' };
}

/** The question as it is now: nobody waits for an answer once the attempt that asked has ended. */
export function askedQuestion(value: QuestionValue, message: Message | null): AskedQuestion {
  const { answerKey: _, owner: _owner, state, ...question } = value;
  const waits = message?.state === 'running' && message.attempts === value.attempt;
  return { ...question, state: state ?? (waits ? 'open' : 'expired') };
}
