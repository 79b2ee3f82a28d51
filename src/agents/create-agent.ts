import type { AgentConfiguration } from '../config/agent-table.js';
import type { Log } from '../log/log.js';
import type { Agent } from './agent.js';
import { CommandAgent } from './command.js';
import { EchoAgent } from './echo.js';
import type { TurnProcess } from './turn-processes.js';

export interface AgentSurroundings {
  readonly log: Log;
  /** Where commands run: the state directory. */
  readonly workingDirectory: string;
  /** The gateway's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Has the processes of the turns that run, of all agents. */
  readonly processes: Set<TurnProcess>;
}

/** The agent that the configuration asks for. */
export function createAgent(configuration: AgentConfiguration, surroundings: AgentSurroundings): Agent {
  switch (configuration.type) {
    case 'echo':
      return new EchoAgent();
    case 'command':
      return new CommandAgent({
        ...surroundings,
        command: configuration.command,
        timeout: configuration.timeout,
        killDelay: configuration.kill_delay,
        replyLimit: configuration.reply_limit,
      });
  }
}
