import { z } from 'zod';
import { absolutePath, count, timeSpan } from './values.js';

/** Kinds of tools in the Agent Client Protocol ("Tool Calls"). */
export const toolKinds = [
  'read',
  'edit',
  'delete',
  'move',
  'search',
  'execute',
  'think',
  'fetch',
  'switch_mode',
  'other',
] as const;

const day = 86_400_000;

/** Keys of an agent that speaks the Agent Client Protocol, beside those of a command. */
export const acpKeys = {
  cwd: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description: 'Working directory of all sessions. Unset: each session has its own.',
  }),
  mcp_servers: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description:
      'JSON file of MCP servers for the agent, with a "mcpServers" object as other programs have it.',
  }),
  mode: z.string().min(1).nullable().default(null).register(z.globalRegistry, {
    description: "Mode of the agent's sessions, by its id there. Unset: the agent's own.",
  }),
  model: z.string().min(1).nullable().default(null).register(z.globalRegistry, {
    description: "Model of the agent's sessions, by its id there. Unset: the agent's own.",
  }),
  allow: z.array(z.enum(toolKinds)).default([]).register(z.globalRegistry, {
    description:
      'Kinds of tools that the agent may use where it asks for permission, such as ["read", "search"]. Others are denied.',
  }),
  ask: z.array(z.enum(toolKinds)).default([]).register(z.globalRegistry, {
    description:
      'Kinds of tools about which a person is asked, such as ["edit", "execute"]. It comes before `agent.allow`.',
  }),
  fs: z.enum(['off', 'read', 'write']).default('off').register(z.globalRegistry, {
    description:
      'Access to files below the working directory of a session that the gateway offers the agent: "off", "read", or "write" for both.',
  }),
  terminals: count(0, 100).default(0).register(z.globalRegistry, {
    description:
      'Commands that the gateway runs for the agent at the same time in a turn, if the agent wants it to. 0: it offers none.',
  }),
  idle: timeSpan(0, 365 * day)
    .prefault('10min')
    .register(z.globalRegistry, {
      description:
        "Time after which a session's process that runs no turn is ended. The next turn resumes it.",
    }),
  processes_limit: count(1, 10_000).default(8).register(z.globalRegistry, {
    description:
      'Processes of the agent at the same time, one a session. The one that is idle longest ends first.',
  }),
};
