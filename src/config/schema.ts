import { z } from 'zod';
import { type AgentConfiguration, agentTable } from './agent-table.js';
import { agentName, channelTables, namedTables } from './channel-table.js';
import { nearest } from './configuration-error.js';
import { openAiFrontTable } from './openai-front-table.js';
import { routeTables } from './route-table.js';
import { storeTable } from './store-table.js';
import {
  absolutePath,
  addressRange,
  count,
  listenAddress,
  longestSocketPath,
  publicUrl,
  size,
  timeSpan,
} from './values.js';

const day = 86_400_000;

/**
 * All tables and keys, each key with its default and its description. `sd-gateway.toml`, the environment's overrides and
 * the documentation are read from here, so that they can't differ. Time spans become milliseconds, sizes bytes.
 * Descriptions are registered, as `describe` copies the schema, and every start makes all of them.
 */
export const configurationTables = z.strictObject({
  supervisor: z.enum(['auto', 'container']).default('auto').register(z.globalRegistry, {
    description:
      'Supervisor that stops the gateway: "auto" finds systemd by its evidence; "container" takes a SIGTERM of the container runtime as a planned stop.',
  }),
  http: z
    .strictObject({
      listen: listenAddress.prefault('127.0.0.1:8733').register(z.globalRegistry, {
        description:
          'Address of the HTTP server: "HOST:PORT", "unix:/PATH", or "systemd" for a passed socket only. A socket passed by systemd always comes first.',
      }),
      body_limit: size(1_024, 64 * 1024 ** 2)
        .prefault('256K')
        .register(z.globalRegistry, { description: 'Largest request body.' }),
      wait_limit: timeSpan(0, 3_600_000).prefault('45s').register(z.globalRegistry, {
        description: 'Longest wait for a reply in GET /v1/messages/{id}?wait=SECONDS.',
      }),
      public_url: publicUrl.nullable().default(null).register(z.globalRegistry, {
        description:
          'URL by which clients reach the gateway through a reverse proxy, such as "https://gateway.example.org". Links in answers begin with it. Unset: they are paths.',
      }),
      trusted_proxies: z.array(addressRange).default([]).register(z.globalRegistry, {
        description:
          'Address ranges (CIDR) of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. With any, so are those of a Unix socket.',
      }),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      socket: absolutePath
        .refine(
          (path) => Buffer.byteLength(path) <= longestSocketPath,
          `must have at most ${longestSocketPath} bytes`,
        )
        .nullable()
        .default(null)
        .register(z.globalRegistry, {
          description:
            'Unix socket at which GET /metrics is answered without a token. Its directory says who may connect.',
        }),
    })
    .prefault({}),
  attachments: z
    .strictObject({
      count_limit: count(0, 100).default(10).register(z.globalRegistry, {
        description: 'Files of one message or one reply, at most. 0: none are taken.',
      }),
      file_limit: size(1, 1024 ** 3)
        .prefault('16M')
        .register(z.globalRegistry, { description: 'Largest file of a message or a reply.' }),
      total_limit: size(1, 4 * 1024 ** 3)
        .prefault('32M')
        .register(z.globalRegistry, {
          description: 'All files of one message or one reply together, at most.',
        }),
      concurrency: count(1, 1_000).default(4).register(z.globalRegistry, {
        description: 'Messages whose files come in at the same time; one more is answered 503.',
      }),
      fetch_timeout: timeSpan(100, 600_000).prefault('15s').register(z.globalRegistry, {
        description: 'Longest time to fetch a file from the URL that a message has for it.',
      }),
    })
    .prefault({}),
  dispatch: z
    .strictObject({
      concurrency: count(1, 10_000)
        .default(8)
        .register(z.globalRegistry, { description: 'Turns that run at the same time.' }),
      max_attempts: count(1, 1_000).default(3).register(z.globalRegistry, {
        description:
          'Attempts of a turn before its message is dead, if its agent fails or takes the gateway down. It also limits the stops that cut the turn off.',
      }),
      retry_delay: timeSpan(0, day).prefault('1s').register(z.globalRegistry, {
        description: 'Wait before the second attempt of a turn; doubled for each further one.',
      }),
      policy: z.enum(['queue', 'interrupt', 'collect']).default('queue').register(z.globalRegistry, {
        description:
          'Policy for a message that comes while its session has work, unless the session has its own. "queue" runs one after the other. "interrupt" cancels what waits and runs for the new one. "collect" makes one turn of what came while a turn ran.',
      }),
      collect_limit: count(2, 1_000)
        .default(100)
        .register(z.globalRegistry, { description: 'Messages that "collect" makes one turn of.' }),
      question_timeout: timeSpan(1_000, 30 * day)
        .prefault('1h')
        .register(z.globalRegistry, {
          description: "Longest wait for a person's answer to a question of an agent; after that it is a no.",
        }),
      session_queue: count(1, 10_000_000).default(1_000).register(z.globalRegistry, {
        description: 'Messages that may wait in one session; one more is answered 429.',
      }),
      total_queue: count(1, 100_000_000).default(1_000_000).register(z.globalRegistry, {
        description: 'Messages that may wait in all; one more is answered 429.',
      }),
      lease: timeSpan(1_000, 3_600_000).prefault('30s').register(z.globalRegistry, {
        description:
          'Time that a claim on a session lasts unless it is renewed. After that, another gateway on the same store takes over.',
      }),
    })
    .prefault({}),
  agent: agentTable.optional(),
  agents: namedTables(agentName, agentTable),
  route: routeTables,
  channels: channelTables,
  openai: openAiFrontTable.prefault({}),
  delivery: z
    .strictObject({
      allow: z.array(addressRange).default([]).register(z.globalRegistry, {
        description:
          'Loopback, private and other special address ranges (CIDR) that replies may be posted to, and files fetched from.',
      }),
      concurrency: count(1, 10_000)
        .default(32)
        .register(z.globalRegistry, { description: 'Deliveries under way at the same time.' }),
      host_concurrency: count(1, 10_000).default(8).register(z.globalRegistry, {
        description:
          'Deliveries under way to one host at the same time. A host that hangs can hold so many of delivery.concurrency.',
      }),
      timeout: timeSpan(100, 3_600_000)
        .prefault('15s')
        .register(z.globalRegistry, { description: 'Longest time of one attempt.' }),
      max_attempts: count(1, 1_000).nullable().default(null).register(z.globalRegistry, {
        description: 'Attempts before a delivery is dead. Unset: it is tried until delivery.expire.',
      }),
      retry_delay: timeSpan(1, day).nullable().default(null).register(z.globalRegistry, {
        description:
          'Base of an exponential backoff in the place of the schedule of webhooks; the wait is drawn at random up to it.',
      }),
      retry_delay_limit: timeSpan(1, day).nullable().default(null).register(z.globalRegistry, {
        description: 'Longest wait of that backoff.',
      }),
      expire: timeSpan(0, 365 * day)
        .prefault('4d')
        .register(z.globalRegistry, {
          description: 'Age from which a reply is not sent any more: its message is dead. "0" is never.',
        }),
      notices: z.boolean().default(true).register(z.globalRegistry, {
        description: 'Send a notice to the reply URL of a message that is dead without a reply.',
      }),
      unknown: z.enum(['resend', 'ask', 'drop']).default('ask').register(z.globalRegistry, {
        description:
          'Handling of a reply that may have arrived, if the receiver would take a second one for another ("idempotent": false). If the message has "unknown", that decides. "resend" sends it again, "ask" sets it aside for a person, "drop" gives it up.',
      }),
    })
    .prefault({}),
  start: z
    .strictObject({
      wait: timeSpan(0, day).prefault('5min').register(z.globalRegistry, {
        description:
          'Longest wait of a start for what is missing outside of the gateway: its address, a port that is taken, directories that another process has in use, room on the disk, the store. "0": it fails at once, as it does in the foreground.',
      }),
    })
    .prefault({}),
  stop: z
    .strictObject({
      drain: timeSpan(0, day).prefault('30s').register(z.globalRegistry, {
        description: 'Time that running turns may go on after a stop was asked for; then they are put back.',
      }),
      foreign_sigterm: z.enum(['fail', 'clean']).default('fail').register(z.globalRegistry, {
        description: 'Exit status after a SIGTERM that was not the supervisor\'s: "fail" is 1, "clean" is 0.',
      }),
    })
    .prefault({}),
  store: storeTable.prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'notice', 'warning', 'err'])
        .default('info')
        .register(z.globalRegistry, {
          description: 'Least priority of the records that are written (syslog(3)).',
        }),
      bodies: z
        .boolean()
        .default(false)
        .register(z.globalRegistry, { description: 'Write the texts of messages and replies to the log.' }),
      rate_limit_interval: timeSpan(0, 3_600_000).prefault('30s').register(z.globalRegistry, {
        description: 'Interval in which at most log.rate_limit_burst records of one kind are written.',
      }),
      rate_limit_burst: count(0, 1_000_000).default(1_000).register(z.globalRegistry, {
        description:
          'Records of one kind in log.rate_limit_interval; what is left out is counted. 0: no limit.',
      }),
    })
    .prefault({}),
});

type Tables = z.output<typeof configurationTables>;

/** By name; "default" is the one that no route has chosen. */
export type AgentConfigurations = Readonly<Record<string, AgentConfiguration>> & {
  readonly default: AgentConfiguration;
};

function agentsOf({ agent, agents }: Tables): AgentConfigurations {
  return { ...agents, default: agent ?? agents['default'] ?? agentTable.parse({}) };
}

/** Finds mistakes that no table shows alone: each pair is a key's path and what is wrong with it. */
function mistakesBetweenTables(tables: Tables): (readonly [path: (string | number)[], message: string])[] {
  const { agent, agents, channels, route } = tables;
  const both =
    agent !== undefined && Object.hasOwn(agents, 'default')
      ? [
          [
            ['agents', 'default'],
            '[agent] and [agents.default] are one table: write its keys into one of them',
          ] as const,
        ]
      : [];
  const agentNames = Object.keys(agentsOf(tables));
  const channelNames = ['http', 'openai', ...Object.keys(channels)];
  const unknown = route.flatMap((rule, index) => [
    ...(agentNames.includes(rule.agent)
      ? []
      : [[['route', index, 'agent'], noSuch('agent', 'agents', rule.agent, agentNames)] as const]),
    ...(rule.channel === undefined || channelNames.includes(rule.channel)
      ? []
      : [[['route', index, 'channel'], noSuch('channel', 'channels', rule.channel, channelNames)] as const]),
  ]);
  const targets = Object.entries(channels).flatMap(([name, table]) => {
    const target = table.type === 'webhook' ? table.reply_to?.channel : undefined;
    const known = ['webhook', ...Object.keys(channels)];
    if (target === undefined || known.includes(target)) return [];
    const path = ['channels', name, 'reply_to', 'channel'];
    return [[path, noSuch('channel', 'channels', target, known)] as const];
  });
  return [...both, ...unknown, ...targets].map(([path, message]) => [[...path], message]);
}

function noSuch(what: string, tables: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const hint = meant === null ? `add [${tables}.${name}], or name another one` : `did you mean "${meant}"?`;
  return `there is no ${what} "${name}"; ${hint}`;
}

/** The whole configuration. `[agent]` is the table `[agents.default]`. */
export const configurationSchema = configurationTables.transform((tables, context) => {
  for (const [path, message] of mistakesBetweenTables(tables)) {
    context.addIssue({ code: 'custom', path, message, input: tables });
  }
  const agents = agentsOf(tables);
  return { ...tables, agent: agents.default, agents };
});

/** The configuration in force. Time spans in milliseconds, sizes in bytes. */
export type Configuration = z.output<typeof configurationSchema>;

/** Settings that hold what is opened once; all others take effect with a reload. */
const fixedSettings: readonly {
  readonly key: string;
  readonly of: (configuration: Configuration) => unknown;
}[] = [
  { key: 'supervisor', of: ({ supervisor }) => supervisor },
  { key: 'http.listen', of: ({ http }) => http.listen },
  { key: 'http.body_limit', of: ({ http }) => http.body_limit },
  { key: 'metrics.socket', of: ({ metrics }) => metrics.socket },
  // The store goes by it as well, which has it from the start.
  { key: 'dispatch.max_attempts', of: ({ dispatch }) => dispatch.max_attempts },
  { key: 'delivery.notices', of: ({ delivery }) => delivery.notices },
];

/** The store is opened once, with all of its keys. */
function changedStoreKeys(before: object, after: object): readonly string[] {
  const values = new Map(Object.entries(before));
  return Object.entries({ ...before, ...after })
    .filter(([key, value]) => JSON.stringify(values.get(key)) !== JSON.stringify(value))
    .map(([key]) => `store.${key}`);
}

/** The changed settings that a reload can't put into effect. */
export function restartNeeded(before: Configuration, after: Configuration): readonly string[] {
  return [
    ...fixedSettings
      .filter(({ of }) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
      .map(({ key }) => key),
    ...changedStoreKeys(before.store, after.store),
  ];
}
