/**
 * Tries one agent and prints the finding as JSON. Standard input has the agent and what belongs to a trial, as JSON. A program
 * of its own, because it is run by the gateway's user.
 */
import { json } from 'node:stream/consumers';
import { type AgentTrial, tryAgent } from '../../agents/try-agent.js';
import type { AgentConfiguration } from '../../config/agent-table.js';

async function probe(): Promise<void> {
  const asked = (await json(process.stdin)) as {
    readonly agent: AgentConfiguration;
    readonly trial: AgentTrial;
  };
  process.stdout.write(JSON.stringify(await tryAgent(asked.agent, asked.trial)));
}

// No await at the top level: it is bundled as CommonJS (rolldown.config.ts).
void probe();
