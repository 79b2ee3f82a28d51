/** The texts that people are told, with the names of what is put in. A file of an operator may have others (`texts`). */
export const defaultTexts = {
  pairing:
    'You may not write to me yet. Give this code to the operator: {code}. It is valid for {minutes} minutes.',
  not_allowed: 'You may not do that here.',
  help: 'You can write to me, or use these words:',
  help_help: '/help shows this.',
  help_reset: '/reset begins our conversation anew.',
  help_stop: '/stop ends what I am doing.',
  help_status: '/status says what I am doing.',
  help_agent: '/agent says who answers here.',
  help_agent_name: '/agent NAME chooses another one.',
  help_approve: '/approve CODE allows what I have asked for.',
  help_deny: '/deny CODE refuses it.',
  reset: 'Our conversation begins anew.',
  stopped: 'Stopped.',
  nothing_to_stop: 'There is nothing to stop.',
  status: 'Agent: {agent}. Working: {running}. Waiting messages: {waiting}.',
  yes: 'yes',
  no: 'no',
  agent: 'The agent here is {agent}.',
  agents: 'There are: {agents}.',
  agent_chosen: 'From now on {agent} answers here.',
  agent_unknown: 'There is no agent {agent}. There are: {agents}.',
  approved: 'Allowed: {title}',
  denied: 'Refused: {title}',
  question: '{code}: {title}',
  no_question: 'Nothing is asked here.',
  question_unknown: 'Nothing is asked here under this code.',
  question_closed: 'It was answered already, or it is too late.',
  failed: 'That did not work. The operator can see why.',
  dead: 'I could not answer your message. The operator can see why.',
  full: 'Too many messages wait. This one is kept, and is not answered. Try again later.',
  held: 'I can’t answer right now. Your message is kept, and I answer as soon as I can.',
  too_large: 'That is too large for me. It is kept, and is not answered.',
  encrypted:
    'This room is encrypted, and I can’t read what is written here. Write to me in a room without encryption.',
  unreadable: 'I can’t read this kind of message. It is kept, and is not answered.',
  again: 'I was restarted, and begin with your message anew.',
} as const;

export type TextName = keyof typeof defaultTexts;

/** A text for each name. */
export type Texts = Readonly<Record<TextName, string>>;

/** Longest text of an operator, in characters: it fits into one message of each platform. */
const longestText = 2_000;

const namesIn = (text: string): readonly string[] =>
  [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);

/**
 * Takes the texts of an operator in the place of the defaults.
 *
 * @throws an error that names each mistake: a name that is none, a text that is none, something that can't be put in, and a
 * code that is left out
 */
export function textsOf(own: Readonly<Record<string, unknown>>): Texts {
  const mistakes = Object.entries(own).flatMap(([name, text]) => mistakesOf(name, text));
  if (mistakes.length > 0) throw new Error(mistakes.join('; '));
  return { ...defaultTexts, ...(own as Partial<Texts>) };
}

function mistakesOf(name: string, text: unknown): readonly string[] {
  if (!Object.hasOwn(defaultTexts, name)) {
    return [`"${name}" is no text; there are ${Object.keys(defaultTexts).join(', ')}`];
  }
  if (typeof text !== 'string' || text.trim() === '') return [`"${name}" must be a text that is not empty`];
  if (text.length > longestText) return [`"${name}" must have at most ${longestText} characters`];
  const known = namesIn(defaultTexts[name as TextName]);
  const foreign = namesIn(text).filter((each) => !known.includes(each));
  const missing = known.includes('code') && !namesIn(text).includes('code');
  return [
    ...foreign.map((each) => `"${name}" can't have {${each}}`),
    ...(missing ? [`"${name}" must have {code}`] : []),
  ];
}

/** Puts the values in. What a person or an agent wrote is put in once, and never read as a text of ours. */
export function textFor(
  texts: Texts,
  name: TextName,
  values: Readonly<Record<string, string | number>> = {},
): string {
  return texts[name].replace(/\{(\w+)\}/g, (whole, each: string) =>
    Object.hasOwn(values, each) ? String(values[each]) : whole,
  );
}

export const noticeLevels = ['all', 'failures', 'none'] as const;
export type NoticeLevel = (typeof noticeLevels)[number];

/** Texts that nobody has asked for. */
export type NoticeName = 'dead' | 'full' | 'held' | 'too_large' | 'encrypted' | 'unreadable' | 'again';

/** True if people are told of it. */
export function isTold(name: NoticeName, level: NoticeLevel): boolean {
  if (level === 'none') return false;
  return level === 'all' || (name !== 'held' && name !== 'again');
}
