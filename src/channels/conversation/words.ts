import type { Received } from '../channel.js';
import type { Role } from './roles.js';

/** Words that the gateway takes itself, in the place of the agent. */
export const chatWords = ['help', 'reset', 'stop', 'status', 'agent', 'approve', 'deny'] as const;
export type ChatWord = (typeof chatWords)[number];

export interface SaidWord {
  readonly word: ChatWord;
  /** The one thing behind it, such as a code; null: there is none. */
  readonly argument: string | null;
}

const takesArgument: readonly ChatWord[] = ['agent', 'approve', 'deny'];

/** The word and at most one thing behind it. More is no word: it is a sentence that begins like one. */
const form = /^\s*[/!]([a-z]+)(?:[ \t]+(\S{1,255}))?\s*$/i;

/** Reads a message that is a chat word and nothing else; null if it is none. */
export function wordOf({
  text,
  origin = 'written',
  attachments = [],
}: Pick<Received, 'text' | 'origin' | 'attachments'>): SaidWord | null {
  if (origin !== 'written' || attachments.length > 0 || text.length > 1_024) return null;
  const [, name = '', argument = null] = form.exec(text) ?? [];
  const word = chatWords.find((each) => each === name.toLowerCase());
  if (word === undefined || (argument !== null && !takesArgument.includes(word))) return null;
  return { word, argument };
}

/** A word with its sign doubled is for the agent, which gets it with one. */
export function withoutEscape(text: string): string {
  const bare = /^\s*([/!])\1/.test(text) ? text.trimStart().slice(1) : null;
  return bare !== null && wordOf({ text: bare }) !== null ? bare : text;
}

/** Those who answer an agent's questions: owners alone, or the author of what the turn answers as well. */
export type Approvals = 'author' | 'owner';

/** Facts on which the right to a word depends. */
export interface WordFacts {
  readonly role: Role;
  /** True unless it is certain that nobody else writes here. */
  readonly isGroup: boolean;
  /** True if the message whose turn runs, or whose turn asks, is the person's own. */
  readonly isOwnTurn: boolean;
  readonly approvals: Approvals;
}

/**
 * True if the person may have the word done. Only an owner chooses the agent. In a group a person may stop what is done
 * for them, and nothing of the others. What an agent may do for a person, that person decides unless it is kept to owners.
 */
export function mayUse(
  { word, argument }: SaidWord,
  { role, isGroup, isOwnTurn, approvals }: WordFacts,
): boolean {
  switch (word) {
    case 'help':
    case 'status':
      return true;
    case 'reset':
      return role === 'owner' || !isGroup;
    case 'stop':
      return role === 'owner' || !isGroup || isOwnTurn;
    case 'agent':
      return role === 'owner' || argument === null;
    case 'approve':
    case 'deny':
      return role === 'owner' || (approvals === 'author' && isOwnTurn);
  }
}
