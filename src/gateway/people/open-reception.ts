import { readFile } from 'node:fs/promises';
import { type ChannelPeople, Reception } from '../../channels/conversation/reception.js';
import type { Teller } from '../../channels/conversation/teller.js';
import { defaultTexts, type Texts, textsOf } from '../../channels/conversation/texts.js';
import { WordActions, type WordSurroundings } from '../../channels/conversation/word-actions.js';
import { sessionOf } from '../../channels/session-name.js';
import type { RouteQuestion } from '../../channels/surroundings.js';
import type { PeopleConfiguration } from '../../config/channel-table.js';
import { readToml } from '../../config/toml.js';
import { errorMessage } from '../../text/failure-text.js';
import type { ReceptionContext } from '../channel-context.js';
import type { MessageActions } from '../message-actions.js';

/** The gateway's parts that a reception uses. */
export interface ReceptionParts {
  readonly rules: PeopleConfiguration;
  readonly people: ChannelPeople;
  readonly words: WordSurroundings;
  readonly teller: Teller;
  readonly actions: Pick<MessageActions, 'reviseMessage'>;
  /** True if the agent of a session's next message can't be started now. */
  readonly isHeld: (question: RouteQuestion) => Promise<boolean>;
}

/** Makes the reception of one channel. */
export function openReception(context: ReceptionContext, texts: Texts, parts: ReceptionParts): Reception {
  const { name, log } = context;
  const { rules, people, teller, actions, isHeld } = parts;
  const words = new WordActions({ name, texts, log, approvals: rules.approvals, ...parts.words });
  return new Reception({
    ...context,
    rules,
    people,
    teller,
    perform: (said, use) => words.perform(said, use),
    revise: async ({ conversation, id }, text) => {
      const arrived = { session: sessionOf(name, conversation), channel: name, idempotencyKey: id };
      return (await actions.reviseMessage(arrived, text))?.outcome ?? null;
    },
    isHeld: async (conversation, sender) =>
      rules.notices === 'all' &&
      (await isHeld({ session: sessionOf(name, conversation), channel: name, sender })),
  });
}

/** Longest file of texts, in bytes. */
const longestFileBytes = 262_144;

/** Reads the texts of an operator; null: the defaults. Rejects with an error that says what to mend. */
export async function readTexts(path: string | null): Promise<Texts> {
  if (path === null) return defaultTexts;
  try {
    const content = await readFile(path, 'utf8');
    if (content.length > longestFileBytes) throw new Error(`it is larger than ${longestFileBytes} bytes`);
    return textsOf(readToml(content).values);
  } catch (error) {
    throw new Error(`the texts in ${path} can't be used: ${errorMessage(error)}`, { cause: error });
  }
}
