import type { EarlierExchange } from '../../../store/messages.js';
import { type Content, filesOf, type GivenPart, textOf } from './content-parts.js';
import { invalid } from './errors.js';

export interface ChatTurnMessage {
  readonly role: string;
  readonly content?: Content | null | undefined;
}

/** The parts of a conversation that a client sends: its last message is to be answered. */
export interface GivenTurn {
  readonly text: string;
  readonly files: readonly GivenPart[];
  /** The texts of `system` and `developer`; null: there is none. */
  readonly instructions: string | null;
  /** Exchanges before it, the oldest first. */
  readonly earlier: readonly Omit<EarlierExchange, 'id'>[];
}

/** Exchanges of a conversation that begin a session here, the newest ones. */
export const mostEarlier = 500;

/** Takes a conversation apart. `member`: its name in the request. Throws an OpenAiError if there is nothing to be answered. */
export function turnOf(messages: readonly ChatTurnMessage[], member: string): GivenTurn {
  const at = messages.findLastIndex(({ role }) => role === 'user');
  const last = messages[at];
  const path = `${member}[${Math.max(at, 0)}].content`;
  if (last === undefined) throw invalid(member, `"${member}" must have a message of the role "user"`);
  const behind = messages.slice(at + 1).find(({ role }) => !isInstruction(role));
  if (behind !== undefined) {
    throw invalid(
      member,
      `The last message of "${member}" must be of the role "user": the gateway runs no tools of the client, and does not go on with an answer that has begun`,
    );
  }
  const text = textOf(last.content);
  const files = filesOf(last.content, path);
  if (text === '' && files.length === 0) throw invalid(path, `"${path}" must not be empty`);
  const instructions = messages
    .filter(({ role }) => isInstruction(role))
    .map(({ content }) => textOf(content))
    .filter((each) => each !== '');
  return {
    text,
    files,
    instructions: instructions.length === 0 ? null : instructions.join('\n\n'),
    earlier: exchangesOf(messages.slice(0, at)).slice(-mostEarlier),
  };
}

function isInstruction(role: string): boolean {
  return role === 'system' || role === 'developer';
}

/** Puts what people said and what was answered into pairs. Files and calls of tools are left out. */
export function exchangesOf(messages: readonly ChatTurnMessage[]): readonly Omit<EarlierExchange, 'id'>[] {
  const pairs: { text: string; reply: string }[] = [];
  for (const { role, content } of messages) {
    const text = textOf(content);
    const last = pairs.at(-1);
    if (role === 'user') {
      if (last !== undefined && last.reply === '') last.text = joined(last.text, text);
      else pairs.push({ text, reply: '' });
    } else if (role === 'assistant') {
      if (last === undefined) pairs.push({ text: '', reply: text });
      else last.reply = joined(last.reply, text);
    }
  }
  return pairs.filter(({ text, reply }) => text !== '' || reply !== '');
}

function joined(a: string, b: string): string {
  return a === '' || b === '' ? a + b : `${a}\n\n${b}`;
}
