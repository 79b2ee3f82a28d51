import { z } from 'zod';

/** Names that stand for a part of the gateway with a message or a reply's target. */
const takenNames: readonly string[] = ['http', 'webhook', 'control', 'schedule'];

const nameRule =
  'a name begins with a lower-case letter and has at most 32 of the characters a-z, 0-9, "_" and "-"';

export const agentName = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, nameRule);

export const channelName = agentName.refine(
  (name) => !takenNames.includes(name),
  'this name stands for a part of the gateway; choose another one',
);

/** Tables with free names, such as `[agents.NAME]`. None is the default. */
export function namedTables<Table extends z.ZodType>(name: z.ZodType<string, string>, table: Table) {
  return z.preprocess(
    (tables, context) => {
      // A record leaves this name out without a word.
      if (typeof tables === 'object' && tables !== null && Object.hasOwn(tables, '__proto__')) {
        context.addIssue({ code: 'custom', path: ['__proto__'], message: nameRule });
      }
      return tables ?? {};
    },
    z.record(name, table),
  );
}

/** A table whose `type` says which keys it has. `types`: the table of each type; there may be none yet. */
export function tableOfTypes<Types extends readonly z.ZodObject[]>(types: Types) {
  const names = types.map(({ shape }) => `"${(shape['type'] as z.ZodLiteral).value}"`);
  const wanted = names.length === 0 ? 'there is no type of such a table' : `must be ${names.join(' or ')}`;
  return z.discriminatedUnion('type', types as unknown as readonly [z.ZodObject, ...z.ZodObject[]], {
    error: ({ code }) => (code === 'invalid_union' ? wanted : undefined),
  }) as unknown as z.ZodType<z.output<Types[number]>>;
}

/** The keys of every type. */
export const commonChannelKeys = {
  required: z.boolean().default(false).register(z.globalRegistry, {
    description:
      "If the channel can't be started, true ends the start of the gateway; false goes on without the channel, and tries again.",
  }),
};

/** A table for each type of channel: a `type`, its keys, and those of every type. */
const types = [] as const;

/** The tables `[channels.NAME]`. */
export const channelTables = namedTables(channelName, tableOfTypes(types));

export type ChannelConfiguration = z.output<(typeof types)[number]>;

/** The keys of every type, for code that runs any of them. */
export interface CommonChannelConfiguration {
  readonly required: boolean;
}
