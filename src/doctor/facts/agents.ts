import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentFinding } from '../../agents/agent-finding.js';
import { delegationAdvice, withMemoryMax } from '../../agents/delegation.js';
import { type AgentTrial, trialOf, tryAgent } from '../../agents/try-agent.js';
import type { AgentConfiguration } from '../../config/agent-table.js';
import type { AgentConfigurations } from '../../config/schema.js';
import { ProgramError, runProgram } from '../../manager/program.js';
import { errorMessage } from '../../text/failure-text.js';
import { deniedPart, type FileUser, type Hiding, hiddenFrom } from '../../units/paths.js';
import type { AgentAccess } from '../facts.js';

/** Looks for a program as execvp(3) does; null if no directory of the path has it. */
export function programIn(name: string, path: string): string | null {
  if (name.includes('/')) return existsSync(name) ? name : null;
  const found = path.split(':').map((directory) => join(directory, name));
  return found.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true) ?? null;
}

/** The word by which an agent's program is found; null if it has none, or the session's directory has it. */
export function programOf(agent: AgentConfiguration): string | null {
  const word = 'command' in agent ? agent.command?.[0] : undefined;
  // A path below the session's directory is made by the session.
  return word !== undefined && (word.startsWith('/') || !word.includes('/')) ? word : null;
}

export interface AgentsLook {
  readonly agents: AgentConfigurations;
  /** The user that runs the gateway. */
  readonly user: FileUser;
  readonly userName: string;
  /** The unit's. */
  readonly hiding: Hiding;
  /** The agents' own directory. */
  readonly directory: string;
  /** The reason why agents can't be given a limit of memory; null if they can, or it can't be told. */
  readonly noMemoryLimit: string | null;
  /** The gateway's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The PATH of the agents. */
  readonly path: string;
}

/** Looks at each agent's program, and tries the agent as the gateway's user. */
export async function gatherAgents(look: AgentsLook): Promise<readonly AgentAccess[]> {
  return Promise.all(Object.entries(look.agents).map(([name, agent]) => gatherAgent(name, agent, look)));
}

async function gatherAgent(name: string, agent: AgentConfiguration, look: AgentsLook): Promise<AgentAccess> {
  const limit = withMemoryMax({ [name]: agent }).length > 0 ? limitFindings(look.noMemoryLimit) : [];
  const word = programOf(agent);
  const program = word === null ? null : programFacts(word, look);
  const isReady =
    program === null || (program.path !== null && program.denied === null && program.hidden === undefined);
  if (!isReady || trialOf(agent) === 'none') return { name, program, findings: limit };
  return { name, program, findings: [...limit, await triedAsUser(agent, look)] };
}

function programFacts(name: string, { path, user, hiding }: AgentsLook): NonNullable<AgentAccess['program']> {
  const file = programIn(name, path);
  if (file === null) return { name, path: null, denied: null };
  const hidden = hiddenFrom(hiding, file);
  const found = { name, path: file, denied: deniedPart(file, user, 'execute') };
  return hidden === null ? found : { ...found, hidden };
}

function limitFindings(reason: string | null): readonly AgentFinding[] {
  if (reason === null) return [];
  const text = `The gateway can't hold it to memory_max, and does not start: ${reason}`;
  return [{ verdict: 'problem', text, mend: `To limit its memory, ${delegationAdvice}` }];
}

/** A trial is by the gateway's user, whose rights decide what it finds. Root takes these. */
async function triedAsUser(
  agent: AgentConfiguration,
  { user: { uid }, userName, directory, environment, path }: AgentsLook,
): Promise<AgentFinding> {
  const trial = { directory, environment: { ...environment, PATH: path } };
  const own = process.getuid?.();
  if (uid === own) return (await tryAgent(agent, trial)) ?? nothing;
  if (own !== 0 || uid < 0) {
    const text = `It is tried only by the user ${userName}, who runs the gateway, or by root`;
    return { verdict: 'unknown', text, mend: 'Run doctor as root' };
  }
  try {
    const finding = await probeAs(uid, agent, trial);
    const { command } = finding;
    return command === undefined
      ? finding
      : { ...finding, command: ['sudo', '-u', userName, '--', ...command] };
  } catch (error) {
    if (!(error instanceof ProgramError || error instanceof SyntaxError)) throw error;
    const text = `It can’t be tried as the user ${userName}: ${errorMessage(error)}`;
    return { verdict: 'unknown', text, mend: null };
  }
}

/** Longer than any trial, in milliseconds. */
const probeTimeoutMs = 80_000;

/** Root runs a program of its own as the user, as rights can't be given up for a part of a process. */
async function probeAs(uid: number, agent: AgentConfiguration, trial: AgentTrial): Promise<AgentFinding> {
  const probe = fileURLToPath(new URL('./agent-probe.js', import.meta.url));
  const variables = Object.entries(trial.environment).filter(([, value]) => value !== undefined);
  const { stdout, stderr } = await runProgram(
    'setpriv',
    // setpriv(1)
    [
      ...[`--reuid=${uid}`, `--regid=${await groupOf(uid)}`, '--init-groups', '--no-new-privs'],
      ...[process.execPath, probe],
    ],
    {
      input: JSON.stringify({ agent, trial }),
      wholeEnvironment: Object.fromEntries(variables) as Record<string, string>,
      timeout: probeTimeoutMs,
    },
  );
  if (stdout === '') {
    const reason = stderr.trim().split('\n').at(-1) ?? 'it said nothing';
    throw new ProgramError('setpriv', 'failed-to-start', reason);
  }
  const finding: unknown = JSON.parse(stdout);
  if (!isFinding(finding)) throw new SyntaxError('the program that tries it printed no finding');
  return finding;
}

const verdicts: readonly unknown[] = [
  'ok',
  'warning',
  'problem',
  'unknown',
] satisfies AgentFinding['verdict'][];

/** The agent has the rights to change what it was printed by. */
function isFinding(value: unknown): value is AgentFinding {
  const { verdict, text, mend, command = [] } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return (
    verdicts.includes(verdict) &&
    typeof text === 'string' &&
    (mend === null || typeof mend === 'string') &&
    Array.isArray(command) &&
    command.every((word) => typeof word === 'string')
  );
}

async function groupOf(uid: number): Promise<string> {
  const { stdout } = await runProgram('id', ['--group', String(uid)]);
  return stdout.trim();
}

const nothing: AgentFinding = { verdict: 'ok', text: 'There is nothing to try', mend: null };
