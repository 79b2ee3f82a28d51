import type { AgentConfiguration } from '../config/agent-table.js';
import { tryModelServer } from './openai/try-model-server.js';

/** The outcome of a look at an agent. */
export interface AgentFinding {
  readonly verdict: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly text: string;
  /** The advice for a person; null: there is none. */
  readonly mend: string | null;
}

export interface AgentTrial {
  /** The gateway's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted when it takes too long. */
  readonly signal: AbortSignal;
}

type AgentType = AgentConfiguration['type'];
type TryAgent<Type extends AgentType> = (
  configuration: Extract<AgentConfiguration, { readonly type: Type }>,
  trial: AgentTrial,
) => Promise<readonly AgentFinding[]>;

/** A line for each type of agent that can be reached without a turn, by a handshake or a list of models. */
const trials: { readonly [Type in AgentType]?: TryAgent<Type> } = {
  openai: async (configuration, { environment, signal }) => [
    await tryModelServer(
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
  ],
};

/** True if there is something to try beside the agent's program. */
export function canBeTried({ type }: AgentConfiguration): boolean {
  return trials[type] !== undefined;
}

/** Tries if the agent can be reached, for `doctor` and `check-config`. It runs what the agent runs, as this user. */
export async function tryAgent(
  configuration: AgentConfiguration,
  trial: AgentTrial,
): Promise<readonly AgentFinding[]> {
  const attempt = trials[configuration.type] as TryAgent<AgentType> | undefined;
  return attempt === undefined ? [] : attempt(configuration, trial);
}
