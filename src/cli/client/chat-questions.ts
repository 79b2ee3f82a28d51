import { printable } from '../terminal.js';

/** A question of an agent to a person, before it does something (docs/http.md). */
export interface WaitingQuestion {
  readonly code: string;
  readonly kind: string;
  readonly title: string;
  /** The arguments as JSON; null: there are none. */
  readonly input: string | null;
  readonly input_cut: boolean;
  readonly options: readonly { readonly name: string; readonly effect: string }[];
}

/** A line that answers a question. */
export interface QuestionAnswer {
  readonly code: string;
  readonly effect: 'allow' | 'deny';
}

/** The answer that a person has typed; null: the line is none. Without a code it is one to no question. */
export function answerIn(line: string): QuestionAnswer | null {
  const [, word, code = ''] = /^\/(approve|deny)(?:\s+(\S+))?\s*$/.exec(line) ?? [];
  if (word === undefined) return null;
  return { code, effect: word === 'approve' ? 'allow' : 'deny' };
}

/**
 * A question as lines for a terminal or a pipe. Title, arguments and options are an agent's words: nothing in them steers a
 * terminal, or looks like a line of the chat.
 *
 * @param typed gives what is typed for an answer, such as "approve CODE": in the chat, or as a command
 */
export function questionText(question: WaitingQuestion, typed: (answer: string) => string): string {
  const { code, kind, title, input, input_cut, options } = question;
  const offered = options.map(({ name, effect }) => `${name} (${effect})`).join(', ');
  return [
    `The agent asks: ${title} (${kind})`,
    ...(input === null ? [] : [`arguments: ${input}${input_cut ? ' (cut)' : ''}`]),
    ...(offered === '' ? [] : [`options: ${offered}`]),
    `${typed(`approve ${code}`)}  or  ${typed(`deny ${code}`)}`,
  ]
    .map((line, index) => `${index === 0 ? '' : '  '}${printable(line).replaceAll('\n', ' ')}\n`)
    .join('');
}
