import type { Channel } from '../../src/channels/channel.js';
import {
  type ChannelPeople,
  Reception,
  type ReceptionOptions,
} from '../../src/channels/conversation/reception.js';
import { roleOf } from '../../src/channels/conversation/roles.js';
import { Teller } from '../../src/channels/conversation/teller.js';
import { defaultTexts } from '../../src/channels/conversation/texts.js';
import type { PeopleConfiguration } from '../../src/config/channel-table.js';
import type { ReceptionContext } from '../../src/gateway/channel-context.js';

/** What a test has in the place of the gateway. Words do nothing by default, and nobody gets a code. */
export interface ReceptionChanges
  extends Partial<Pick<ReceptionOptions, 'perform' | 'isHeld' | 'revise'>>,
    Partial<ChannelPeople> {
  readonly say?: Channel['say'];
}

/** The reception of a channel whose people are those that its table names. */
export function receptionFor(
  table: object,
  { perform, isHeld, revise, say, ...people }: ReceptionChanges = {},
): (context: ReceptionContext) => Reception {
  const rules: PeopleConfiguration = {
    allow: [],
    owners: [],
    approvals: 'author',
    words: true,
    notices: 'failures',
    texts: null,
    ...table,
  };
  return (context) => {
    const { name, log, clock } = context;
    const level = rules.notices;
    return new Reception({
      ...context,
      rules,
      people: {
        role: async (id) => roleOf(rules, id, null),
        offerCode: async () => ({ outcome: 'full' }),
        ...people,
      },
      teller: new Teller({ name, log, clock, say: () => say, level, texts: defaultTexts }),
      perform: perform ?? (async () => null),
      isHeld: isHeld ?? (async () => false),
      revise: revise ?? (async () => null),
    });
  };
}
