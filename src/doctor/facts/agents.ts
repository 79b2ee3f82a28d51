import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentFinding, canBeTried, tryAgent } from '../../agents/try-agent.js';
import type { AgentConfiguration } from '../../config/agent-table.js';
import type { AgentConfigurations } from '../../config/schema.js';
import { deniedPart, type FileUser } from '../../units/paths.js';
import type { AgentAccess } from '../facts.js';

/** Longest time of the trial of one agent, in milliseconds. */
const trialTimeoutMs = 10_000;

/** Looks for a program as execvp(3) does; null if no directory of the path has it. */
export function programIn(name: string, path: string): string | null {
  if (name.includes('/')) return existsSync(name) ? name : null;
  const found = path.split(':').map((directory) => join(directory, name));
  return found.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true) ?? null;
}

/** The word by which an agent's program is found; null if it has none, or the session's directory has it. */
export function programOf(agent: AgentConfiguration): string | null {
  const word = 'command' in agent ? agent.command[0] : undefined;
  // A path below the session's directory is made by the session.
  return word !== undefined && (word.startsWith('/') || !word.includes('/')) ? word : null;
}

export interface AgentsLook {
  readonly agents: AgentConfigurations;
  /** The user that runs the gateway. */
  readonly user: FileUser;
  readonly userName: string;
  /** The gateway's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The PATH of the agents. */
  readonly path: string;
}

/** Looks at each agent's program, and tries the agent if this process has the gateway's user. */
export async function gatherAgents(look: AgentsLook): Promise<readonly AgentAccess[]> {
  return Promise.all(Object.entries(look.agents).map(([name, agent]) => gatherAgent(name, agent, look)));
}

async function gatherAgent(
  name: string,
  agent: AgentConfiguration,
  { user, userName, environment, path }: AgentsLook,
): Promise<AgentAccess> {
  const word = programOf(agent);
  const file = word === null ? null : programIn(word, path);
  const program =
    word === null
      ? null
      : { name: word, path: file, denied: file === null ? null : deniedPart(file, user, 'execute') };
  const isReady = program === null || (program.path !== null && program.denied === null);
  if (!isReady || !canBeTried(agent)) return { name, program, findings: [] };
  // It runs the agent: another user's rights are none of its.
  if (user.uid !== process.getuid?.()) return { name, program, findings: [onlyBy(userName)] };
  const signal = AbortSignal.timeout(trialTimeoutMs);
  return { name, program, findings: await tryAgent(agent, { environment, signal }) };
}

function onlyBy(userName: string): AgentFinding {
  return {
    verdict: 'unknown',
    text: `It is tried only by the user ${userName}, who runs the gateway`,
    mend: `Run doctor as ${userName}`,
  };
}
