import type { AgentConfiguration } from '../config/agent-table.js';
import type { Log } from '../log/log.js';
import { AcpAgent } from './acp/acp-agent.js';
import type { Agent } from './agent.js';
import type { AgentGroups } from './agent-groups.js';
import { CommandAgent } from './command.js';
import { ConnectedCommandAgent } from './connected-command.js';
import { EchoAgent } from './echo.js';
import { HttpAgent, type SignBody } from './http/http-agent.js';
import type { TurnCallbacks } from './http/turn-callbacks.js';
import { OpenAiAgent } from './openai/openai-agent.js';
import type { TurnProcess } from './turn-processes.js';

export interface AgentSurroundings {
  /** The agent's name in the configuration. */
  readonly name: string;
  readonly log: Log;
  /** The agents' own: their home and the directories of the sessions are below it. */
  readonly directory: string;
  /** Null: processes of agents have no control groups of their own. */
  readonly groups: AgentGroups | null;
  /** The gateway's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Has the processes of the turns that run, of all agents. */
  readonly processes: Set<TurnProcess>;
  /** Signs what is posted to an agent. */
  readonly sign: SignBody;
  /** Replies that come later. */
  readonly callbacks: TurnCallbacks;
}

type AgentType = AgentConfiguration['type'];
type ConfigurationOf<Type extends AgentType> = Extract<AgentConfiguration, { readonly type: Type }>;

/** A line for each type of agent, with its name in the configuration. */
const agentTypes: {
  readonly [Type in AgentType]: (
    configuration: ConfigurationOf<Type>,
    surroundings: AgentSurroundings,
  ) => Agent;
} = {
  echo: () => new EchoAgent(),
  command: (
    { kill_delay: killDelay, reply_limit: replyLimit, memory_max: memoryMax, command, connect, ...table },
    surroundings,
  ) =>
    connect === null
      ? new CommandAgent({
          ...surroundings,
          ...table,
          command: command ?? [],
          killDelay,
          replyLimit,
          memoryMax,
        })
      : new ConnectedCommandAgent({ ...table, log: surroundings.log, connect, killDelay, replyLimit }),
  acp: ({ command, connect, env, cwd, mode, model, allow, ask, fs, idle, ...others }, surroundings) =>
    new AcpAgent({
      ...surroundings,
      command: command ?? [],
      connect,
      env,
      cwd,
      mode,
      model,
      allow,
      ask,
      fs,
      idle,
      terminals: others.terminals,
      mcpServers: others.mcp_servers,
      processesLimit: others.processes_limit,
      killDelay: others.kill_delay,
      memoryMax: others.memory_max,
      replyLimit: others.reply_limit,
    }),
  http: ({ url, timeout, reply_limit: replyLimit }, { sign, callbacks, log }) =>
    new HttpAgent({ url, timeout, replyLimit, sign, callbacks, log }),
  openai: (configuration, { log, environment }) =>
    new OpenAiAgent({
      baseUrl: configuration.base_url,
      model: configuration.model,
      keyFile: configuration.key_file,
      keyCredential: configuration.key_credential,
      systemFile: configuration.system_file,
      history: { messages: configuration.history_messages, bytes: configuration.history_bytes },
      attachmentBytes: configuration.attachment_bytes,
      parameters: configuration.parameters,
      timeout: configuration.timeout,
      replyLimit: configuration.reply_limit,
      environment,
      log,
    }),
};

/** Makes the agent that the configuration asks for. */
export function createAgent<Type extends AgentType>(
  configuration: ConfigurationOf<Type> & { readonly type: Type },
  surroundings: AgentSurroundings,
): Agent {
  return agentTypes[configuration.type](configuration, surroundings);
}
