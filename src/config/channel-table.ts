import { z } from 'zod';
import { discordKeys } from './discord-keys.js';
import { emailKeys } from './email-keys.js';
import { matrixKeys } from './matrix-keys.js';
import { needsSecret, secretKeys } from './secret-keys.js';
import { slackKeys } from './slack-keys.js';
import { telegramKeys } from './telegram-keys.js';
import { absolutePath, timeSpan } from './values.js';
import { webhookKeys } from './webhook-keys.js';

/** Names that stand for a part of the gateway with a message or a reply's target. */
const takenNames: readonly string[] = ['http', 'openai', 'webhook', 'control', 'schedule'];

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
export const commonChannelKeys = () => ({
  required: z.boolean().default(false).register(z.globalRegistry, {
    description:
      "If the channel can't be started, true ends the start of the gateway; false goes on without the channel, and tries again. While a channel with true is down, /readyz answers 503.",
  }),
});

/** The keys of the types whose code is the gateway's own. */
export const ownCodeKeys = () => ({
  isolated: z.boolean().default(false).register(z.globalRegistry, {
    description:
      'Run the channel in a process of its own, so that a fault, a leak or a crash of its code can’t hurt the gateway. It is started again after 1 s, 2 s, 4 s and so on up to 1 min.',
  }),
});

const personIds = () => z.array(z.string().min(1)).default([]);

/** The keys of channels that people write to. */
export const peopleKeys = () => ({
  allow: personIds().register(z.globalRegistry, {
    description: 'Ids of the persons who may write. "*" is everybody. Unset: nobody but the owners.',
  }),
  owners: z
    .array(
      z
        .string()
        .min(1)
        .refine((id) => id !== '*', "can't be everybody: name each owner"),
    )
    .default([])
    .register(z.globalRegistry, {
      description:
        'Ids of the persons who may write, and also decide what an agent may do for others, and which one answers.',
    }),
  approvals: z.enum(['author', 'owner']).default('author').register(z.globalRegistry, {
    description:
      'Persons who answer the questions of an agent. "author": whose message the turn answers, and the owners; "owner": the owners alone.',
  }),
  words: z.boolean().default(true).register(z.globalRegistry, {
    description: 'Take messages such as "/stop" as words for the gateway. False gives them to the agent.',
  }),
  notices: z.enum(['all', 'failures', 'none']).default('failures').register(z.globalRegistry, {
    description:
      'Tell people unasked: of what failed; "all" also of what takes longer, such as an agent that can\'t be started; "none" of nothing.',
  }),
  texts: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description:
      'TOML file with other texts for people, such as in another language (docs/channels/people.md).',
  }),
});

/** The keys of chats, where strangers may come along, and several people write. */
export const chatKeys = () => ({
  ...peopleKeys(),
  pairing: z.boolean().default(true).register(z.globalRegistry, {
    description:
      'Give strangers who write in private a code, with which an operator lets them in ("sd-gateway people").',
  }),
  edits: z.enum(['waiting', 'new']).default('waiting').register(z.globalRegistry, {
    description:
      'Edits of messages that are taken. "waiting": of those whose turn has not begun, whose text is replaced; "new": an edit of another one also becomes a message of its own.',
  }),
  groups: z.enum(['mention', 'all', 'none']).default('mention').register(z.globalRegistry, {
    description:
      'Messages of groups that are taken: those that mention the gateway or answer it, all, or none.',
  }),
});

/** The keys of types that have a secret. */
const commonSecretKeys = () =>
  secretKeys(
    "File with the channel's secret, which nobody else may read (mode 0600): the program is told it, and webhooks are checked by it.",
    "Credential of the unit with the channel's secret, in the place of `token_file`.",
  );

const command = () =>
  z.strictObject({
    type: z.literal('command').register(z.globalRegistry, {
      description:
        '"command" is any program that speaks the lines of docs/channels/protocol.md; "telegram" is a bot of Telegram, "discord" one of Discord; "slack" is an app of Slack; "matrix" an account of Matrix; "email" a mailbox; "webhook" takes signed requests of a platform to POST /hooks/NAME.',
    }),
    command: z
      .array(z.string().min(1), 'must name a program, such as ["/usr/local/bin/my-channel"]')
      .min(1, 'must name a program, such as ["/usr/local/bin/my-channel"]')
      .register(z.globalRegistry, { description: 'Program and arguments, run without a shell.' }),
    env: z
      .array(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable, such as "HTTPS_PROXY"'),
      )
      .default([])
      .register(z.globalRegistry, {
        description:
          'Names of variables of the gateway that the program gets. Otherwise it has PATH, HOME and LANG.',
      }),
    ...commonSecretKeys(),
    ...chatKeys(),
    unknown: z.enum(['resend', 'ask', 'drop']).nullable().default(null).register(z.globalRegistry, {
      description:
        "Handling of a reply that may have arrived, if the program can't tell. Unset: delivery.unknown.",
    }),
    timeout: timeSpan(100, 3_600_000)
      .prefault('30s')
      .register(z.globalRegistry, { description: 'Longest wait for the answer to one send.' }),
    retry_for: timeSpan(0, 86_400_000).prefault('1h').register(z.globalRegistry, {
      description: 'Time for which a reply that could not be sent is tried again.',
    }),
    health_interval: timeSpan(100, 86_400_000).prefault('1min').register(z.globalRegistry, {
      description:
        'Silence of the program after which it is asked for its health. One that does not answer is ended.',
    }),
    ...commonChannelKeys(),
  });

export type CommandChannelConfiguration = z.output<ReturnType<typeof command>>;

const webhook = () =>
  z
    .strictObject({
      type: z.literal('webhook').register(z.globalRegistry, {
        description: '"webhook" takes signed requests of a platform to POST /hooks/NAME.',
      }),
      ...webhookKeys(),
      ...commonSecretKeys(),
      ...commonChannelKeys(),
      ...ownCodeKeys(),
    })
    .superRefine(needsSecret('token', 'the secret of the webhook'));

export type WebhookChannelConfiguration = z.output<ReturnType<typeof webhook>>;

const telegram = () =>
  z
    .strictObject({
      type: z.literal('telegram').register(z.globalRegistry, {
        description: '"telegram" is a bot of Telegram.',
      }),
      ...telegramKeys(),
      ...chatKeys(),
      ...commonChannelKeys(),
      ...ownCodeKeys(),
    })
    .superRefine(needsSecret('token', 'the token of the bot'));

export type TelegramChannelConfiguration = z.output<ReturnType<typeof telegram>>;

const discord = () =>
  z
    .strictObject({
      type: z.literal('discord').register(z.globalRegistry, {
        description: '"discord" is a bot of Discord.',
      }),
      ...discordKeys(),
      ...chatKeys(),
      ...commonChannelKeys(),
      ...ownCodeKeys(),
    })
    .superRefine(needsSecret('token', 'the token of the bot'));

export type DiscordChannelConfiguration = z.output<ReturnType<typeof discord>>;

const wantedMatrixUser = 'must be the id of a user such as "@ada:example.org", or "*" in allow';
const matrixUser = () => z.string().regex(/^@[^:\s]*:[^\s]+$/, wantedMatrixUser);

const matrix = () =>
  z
    .strictObject({
      type: z.literal('matrix').register(z.globalRegistry, {
        description: '"matrix" is an account of Matrix.',
      }),
      ...matrixKeys(),
      ...chatKeys(),
      allow: z
        .array(z.union([z.literal('*'), matrixUser()], wantedMatrixUser))
        .default([])
        .register(z.globalRegistry, {
          description: 'Ids of the persons who may write, of Matrix: such as "@ada:example.org".',
        }),
      owners: z.array(matrixUser()).default([]).register(z.globalRegistry, {
        description: 'Ids of owners, of Matrix: such as "@ada:example.org".',
      }),
      ...commonChannelKeys(),
      ...ownCodeKeys(),
    })
    .superRefine(needsSecret('token', 'the access token of the account'));

export type MatrixChannelConfiguration = z.output<ReturnType<typeof matrix>>;

const slack = () =>
  z
    .strictObject({
      type: z.literal('slack').register(z.globalRegistry, {
        description: '"slack" is an app of Slack.',
      }),
      ...slackKeys(),
      ...chatKeys(),
      ...commonChannelKeys(),
      ...ownCodeKeys(),
    })
    .superRefine(needsSecret('token', 'the token of the bot'))
    .superRefine(needsSecret('app_token', 'the token of the app', ({ mode }) => mode === 'socket'))
    .superRefine(needsSecret('signing_secret', 'the signing secret', ({ mode }) => mode === 'events'));

export type SlackChannelConfiguration = z.output<ReturnType<typeof slack>>;

/** The form in which the author of a mail is known. */
const mailAddress = /^[^\s@A-Z*]+@[^\s@A-Z*]+$/;

const email = () =>
  z
    .strictObject({
      type: z.literal('email').register(z.globalRegistry, {
        description: '"email" is a mailbox, or the mail server of this machine.',
      }),
      ...emailKeys(),
      ...commonSecretKeys(),
      ...peopleKeys(),
      allow: z
        .array(
          z.union(
            [z.literal('*'), z.string().regex(mailAddress)],
            'must be an address in lower case, or "*"',
          ),
        )
        .default([])
        .register(z.globalRegistry, {
          description: 'Ids of the persons who may write, of e-mail: addresses in lower case.',
        }),
      owners: z
        .array(z.string().regex(mailAddress, 'must be an address in lower case'))
        .default([])
        .register(z.globalRegistry, {
          description: 'Ids of owners, of e-mail: addresses in lower case.',
        }),
      // Most mails are longer than a word, and few people expect one.
      words: z.boolean().default(false).register(z.globalRegistry, {
        description: 'Take mails such as "/stop" as words for the gateway.',
      }),
      ...commonChannelKeys(),
      ...ownCodeKeys(),
    })
    .refine(({ imap, lmtp }) => (imap === null) !== (lmtp === null), {
      message: 'must have one of imap and lmtp: the way by which mails come in',
      path: ['imap'],
    })
    .superRefine(needsSecret('token', 'the password of the mailbox', ({ imap }) => imap !== null));

export type EmailChannelConfiguration = z.output<ReturnType<typeof email>>;

/** A table for each type of channel: a `type`, its keys, and those of every type. */
const types = [command, webhook, telegram, email, slack, discord, matrix] as const;

/** The tables `[channels.NAME]`. They are made for the first that there is: a start without channels goes without. */
export const channelTables = namedTables(
  channelName,
  z.lazy(() => tableOfTypes(types.map((table) => table()))),
);

export type ChannelConfiguration = z.output<ReturnType<(typeof types)[number]>>;

/** Rules about people. A type without one of the keys goes without what it rules. */
export interface PeopleConfiguration {
  readonly allow: readonly string[];
  readonly owners: readonly string[];
  readonly approvals: 'author' | 'owner';
  readonly words: boolean;
  readonly notices: 'all' | 'failures' | 'none';
  readonly texts: string | null;
  /** Absent: strangers get no code. */
  readonly pairing?: boolean;
  /** Absent: messages can't be edited. */
  readonly edits?: 'waiting' | 'new';
  /** Absent: there are no groups. */
  readonly groups?: 'mention' | 'all' | 'none';
}

/** The channels that people write to, by their names. */
export function peopleChannels(
  channels: Readonly<Record<string, object>>,
): ReadonlyMap<string, PeopleConfiguration> {
  const found = Object.entries(channels).filter(([, table]) => 'allow' in table && 'owners' in table);
  return new Map(found.map(([name, table]) => [name, table as PeopleConfiguration]));
}

/** The keys of every type, for code that runs any of them. */
export interface CommonChannelConfiguration {
  readonly required: boolean;
  /** Absent: its type can't. */
  readonly isolated?: boolean;
}
