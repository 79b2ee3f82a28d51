import { z } from 'zod';
import { acpKeys } from './acp-keys.js';
import { openAiKeys } from './openai-keys.js';
import { count, size, timeSpan } from './values.js';

const day = 86_400_000;

const commonKeys = {
  concurrency: count(1, 10_000).nullable().default(null).register(z.globalRegistry, {
    description:
      'Turns of this agent that run at the same time. Unset: dispatch.concurrency or, if there are several agents, half of it.',
  }),
  timeout: timeSpan(100, day)
    .prefault('5min')
    .register(z.globalRegistry, { description: 'Longest time of one turn.' }),
  retry: z.enum(['always', 'never']).default('always').register(z.globalRegistry, {
    description:
      '"always" runs a turn again that failed or was cut off. "never" is for an agent that must not do a thing twice: the message is dead then.',
  }),
  kill_delay: timeSpan(0, 600_000).prefault('5s').register(z.globalRegistry, {
    description: 'Time between SIGTERM and SIGKILL to the process group of a command that has to end.',
  }),
  reply_limit: size(1, 64 * 1024 ** 2)
    .prefault('1M')
    .register(z.globalRegistry, {
      description: 'Largest reply; a command that writes more is ended and its turn fails.',
    }),
};

const echo = z.strictObject({
  type: z.literal('echo').register(z.globalRegistry, {
    description:
      '"echo" replies with the message itself; "command" runs a program for each message; "acp" speaks the Agent Client Protocol with a program; "openai" asks a server of chat completions; "http" posts the turn to a URL. Unset: "command" if `agent.command` is set, else "echo".',
  }),
  ...commonKeys,
});

const programWanted =
  'must name a program when agent.type is "command" or "acp", such as ["/usr/bin/my-agent", "--quiet"]';

const programKeys = {
  command: z
    .array(z.string().min(1), programWanted)
    .min(1, programWanted)
    .nullable()
    .default(null)
    .register(z.globalRegistry, {
      description:
        'Program and arguments, run without a shell. For "command": the message on stdin, the reply on stdout; words such as "{session}" are replaced by values of the turn.',
    }),
  connect: z
    .string()
    .regex(/^unix:\/[^\0]{1,100}$/, 'must be the address of a Unix socket, such as "unix:/run/agent.sock"')
    .nullable()
    .default(null)
    .register(z.globalRegistry, {
      description:
        'Address of a socket unit that starts the program as a user of its own, such as "unix:/run/agent.sock", in the place of `agent.command`.',
    }),
  env: z
    .array(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable, such as "NODE_OPTIONS"'),
    )
    .default([])
    .register(z.globalRegistry, {
      description:
        'Names of variables of the gateway that the program gets in any case, such as ["HOME"], which is agents/home otherwise.',
    }),
  memory_max: size(1024 ** 2, 2 ** 50)
    .nullable()
    .default(null)
    .register(z.globalRegistry, {
      description:
        'Largest memory of a process of the agent and all that it starts. One that takes more is killed. It needs a unit with Delegate=memory.',
    }),
};

interface ProgramTable {
  readonly command: readonly string[] | null;
  readonly connect: string | null;
  readonly env: readonly string[];
  readonly memory_max: number | null;
  readonly input?: string;
  readonly cwd?: string | null;
  readonly terminals?: number;
}

/** Finds keys that are missing, or have no effect on a program that is started by another than the gateway. */
function checkConnect(table: ProgramTable, context: z.core.$RefinementCtx): void {
  const wrong = (key: string, message: string) => {
    context.addIssue({ code: 'custom', path: [key], message, input: table });
  };
  if (table.connect === null) {
    if (table.command === null) wrong('command', programWanted);
    return;
  }
  const unit = 'its unit starts the program: set it there, as agent.connect is set';
  if (table.command !== null)
    wrong('command', "can't be set beside agent.connect, whose unit starts the program");
  if (table.env.length > 0) wrong('env', `has no effect on the agent, as ${unit} (Environment=)`);
  if (table.memory_max !== null) wrong('memory_max', `has no effect on the agent, as ${unit} (MemoryMax=)`);
  if (table.input === 'text')
    wrong('input', 'must be "json" when agent.connect is set: a turn is one line there');
  if (table.terminals !== undefined && table.terminals > 0)
    wrong('terminals', "must be 0 when agent.connect is set: commands would run as the gateway's user");
  if (table.cwd === null) wrong('cwd', "must name a directory of the agent's user when agent.connect is set");
}

const commandKeys = z.strictObject({
  type: z.literal('command'),
  ...programKeys,
  input: z.enum(['json', 'text']).default('json').register(z.globalRegistry, {
    description:
      'Standard input of a command: "json" is the message with all its facts, "text" is its text alone.',
  }),
  output: z.enum(['text', 'jsonl']).default('text').register(z.globalRegistry, {
    description:
      'Standard output of a command: "text" is the reply itself, "jsonl" has an event in each line.',
  }),
  ...commonKeys,
});

const command = commandKeys.superRefine(checkConnect);

const acp = z
  .strictObject({ type: z.literal('acp'), ...programKeys, ...acpKeys, ...commonKeys })
  .superRefine(checkConnect);

const http = z.strictObject({
  type: z.literal('http'),
  url: z
    .string()
    .refine(
      isHttpUrl,
      'must be an http or https URL without a user name, such as "http://127.0.0.1:9000/turns"',
    )
    .register(z.globalRegistry, {
      description:
        'URL that each turn is posted to, signed as webhooks are. Loopback and private addresses are fine here.',
    }),
  ...commonKeys,
});

function isHttpUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}

const openai = z.strictObject({ type: z.literal('openai'), ...openAiKeys, ...commonKeys });

/** Names the type that the keys imply, so that a command alone is enough. */
function withType(table: unknown): unknown {
  if (typeof table !== 'object' || table === null || Array.isArray(table) || 'type' in table) return table;
  return { type: 'command' in table ? 'command' : 'echo', ...table };
}

const types = [echo, command, acp, openai, http] as const;

const typeNames = types.map(({ shape }) => `"${shape.type.value}"`).join(' or ');

/** The table `[agent]`: a `type`, its keys, and those of every type. */
export const agentTable = z.preprocess(
  withType,
  z.discriminatedUnion('type', types, {
    error: ({ code }) => (code === 'invalid_union' ? `must be ${typeNames}` : undefined),
  }),
);

export type AgentConfiguration = z.output<typeof agentTable>;

/** The longest `kill_delay` of several agents, in milliseconds: a stop may have to wait for it. */
export function longestKillDelay(agents: Readonly<Record<string, AgentConfiguration>>): number {
  return Math.max(...Object.values(agents).map(({ kill_delay }) => kill_delay));
}
