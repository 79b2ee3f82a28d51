import type { AgentConfiguration } from '../config/agent-table.js';
import type { AgentFinding } from './agent-finding.js';
import { tryHttpAgent } from './http/try-http-agent.js';
import { tryModelServer } from './openai/try-model-server.js';

export interface AgentTrial {
  /** The agents' own directory. */
  readonly directory: string;
  /** The gateway's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type AgentType = AgentConfiguration['type'];

interface TrialOf<Type extends AgentType> {
  /** True if it runs the agent's program. */
  readonly isStart: boolean;
  readonly attempt: (
    configuration: Extract<AgentConfiguration, { readonly type: Type }>,
    trial: AgentTrial,
    signal: AbortSignal,
  ) => Promise<AgentFinding>;
}

/** A line for each type of agent that can be reached without a turn, by a handshake or a list of models. */
const trials: { readonly [Type in AgentType]?: TrialOf<Type> } = {
  acp: {
    isStart: true,
    attempt: async (configuration, trial, signal) => {
      const { command, connect, cwd, env, mode, model, kill_delay: killDelayMs } = configuration;
      const { tryAcpAgent } = await import('./acp/try-acp-agent.js');
      const settings = { command: command ?? [], connect, cwd, env, mode, model, killDelayMs };
      return tryAcpAgent(settings, { ...trial, signal });
    },
  },
  http: { isStart: false, attempt: ({ url }, _, signal) => tryHttpAgent(url, signal) },
  openai: {
    isStart: false,
    attempt: (configuration, { environment }, signal) =>
      tryModelServer(
        {
          baseUrl: configuration.base_url,
          model: configuration.model,
          keyFile: configuration.key_file,
          keyCredential: configuration.key_credential,
          systemFile: configuration.system_file,
        },
        environment,
        signal,
      ),
  },
};

/**
 * The longest trial of one agent, in milliseconds. Real agents take seconds to start, and half a minute if they wait for a
 * server that is away.
 */
const timeoutMs = { start: 60_000, request: 10_000 };

/** The ways to try an agent beside a look at its program: none, a request, or a start of it. */
export function trialOf({ type }: AgentConfiguration): 'none' | 'request' | 'start' {
  const trial = trials[type];
  if (trial === undefined) return 'none';
  return trial.isStart ? 'start' : 'request';
}

/**
 * Tries if the agent can be reached, as this user. It runs no turn. Null: there is nothing to try.
 *
 * @param stop ends the trial early
 */
export async function tryAgent(
  configuration: AgentConfiguration,
  trial: AgentTrial,
  stop?: AbortSignal,
): Promise<AgentFinding | null> {
  const found = trials[configuration.type] as TrialOf<AgentType> | undefined;
  if (found === undefined) return null;
  const timeout = AbortSignal.timeout(timeoutMs[found.isStart ? 'start' : 'request']);
  const signal = stop === undefined ? timeout : AbortSignal.any([timeout, stop]);
  return found.attempt(configuration, trial, signal);
}
