import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../log/log.js';
import { AgentError } from '../agent.js';
import type { AgentFinding } from '../agent-finding.js';
import { inheritedEnvironment } from '../command-environment.js';
import { oneLine } from '../one-line.js';
import { AgentConnection } from './agent-connection.js';
import type { AgentLink, LinkHandlers } from './agent-link.js';
import { AgentProcess } from './agent-process.js';
import {
  choose,
  type HandshakeOptions,
  type InitializedAgent,
  initialize,
  LoginWanted,
  offeredModels,
  openNew,
} from './handshake.js';
import { Replay } from './replay.js';
import { methodNotFound, RpcError } from './rpc.js';
import { membersOf } from './updates.js';

export interface AcpTrialSettings {
  readonly command: readonly string[];
  /** "unix:/PATH" where another user's agent is reached, in the place of `command`; null: there is none. */
  readonly connect: string | null;
  /** The directory of sessions, if it is set. */
  readonly cwd: string | null;
  /** Names of variables of the gateway that it gets in any case. */
  readonly env: readonly string[];
  readonly mode: string | null;
  readonly model: string | null;
  /** Time between SIGTERM and SIGKILL, in milliseconds. */
  readonly killDelayMs: number;
}

export interface AcpTrialSurroundings {
  /** The agents' own; their home is below it. It may not be there yet. */
  readonly directory: string;
  /** The gateway's own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted when it takes too long. */
  readonly signal: AbortSignal;
}

/** Records of an agent's process; its standard error is part of the errors. */
const noRecord = () => undefined;
const noLog: Log = {
  crit: noRecord,
  err: noRecord,
  warning: noRecord,
  notice: noRecord,
  info: noRecord,
  debug: noRecord,
};

/** Time for the agent to exit by itself, in milliseconds. */
const gentleEndMs = 300;

/**
 * Starts an agent as this user, opens a session that it gets no prompt in, chooses its mode and model, and ends all of it.
 * Its directory is a temporary one, and its home the one of all agents if that is there.
 */
export async function tryAcpAgent(
  settings: AcpTrialSettings,
  surroundings: AcpTrialSurroundings,
): Promise<AgentFinding> {
  const { command, connect, env, killDelayMs } = settings;
  const { directory, environment, signal } = surroundings;
  const cwd = mkdtempSync(join(tmpdir(), 'sd-gateway-trial-'));
  const ownHome = join(directory, 'home');
  const home = existsSync(ownHome) ? ownHome : cwd;
  const keepsHome = env.includes('HOME') && environment['HOME'] !== undefined;
  const variables = { ...inheritedEnvironment(environment, env), ...(!keepsHome && { HOME: home }) };
  let agent: AgentLink | null = null;
  const stop = () => agent?.fail(new AgentError('unavailable', 'the agent does not answer in time', true));
  signal.addEventListener('abort', stop);
  try {
    const handlers: LinkHandlers = {
      request: async (method) => {
        throw new RpcError(methodNotFound, `"${oneLine(method, 100)}" is not offered`);
      },
      notification: noRecord,
    };
    const program = { command, cwd, env: variables, directory, killDelayMs, groups: null, memoryMax: null };
    agent =
      connect === null
        ? await AgentProcess.start({ ...program, log: noLog }, {}, handlers)
        : await AgentConnection.open({ connect, cwd, killDelayMs, log: noLog }, {}, handlers, signal);
    if (signal.aborted) stop();
    const credentials = 'CREDENTIALS_DIRECTORY';
    const hasCredentials = !env.includes(credentials) || environment[credentials] !== undefined;
    const sessionDirectory = connect === null ? cwd : (settings.cwd ?? cwd);
    return await findingOf(agent, { ...settings, cwd: sessionDirectory, hasCredentials });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const said = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}`;
    if (!(error instanceof LoginWanted)) {
      return { verdict: 'problem', text: oneLine(`${said}${agent?.said() ?? ''}`, 1_000), mend: null };
    }
    return {
      verdict: 'problem',
      text: said,
      mend: 'Log in once, as the gateway’s user and with this HOME; the agent’s own words may differ:',
      command: loginCommand(command, String(variables['HOME']), error.methods),
    };
  } finally {
    signal.removeEventListener('abort', stop);
    agent?.end(gentleEndMs);
    await agent?.ended;
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function findingOf(
  { connection }: AgentLink,
  {
    cwd,
    mode,
    model,
    hasCredentials,
  }: AcpTrialSettings & { readonly cwd: string; readonly hasCredentials: boolean },
): Promise<AgentFinding> {
  const options: HandshakeOptions = {
    connection,
    cwd,
    mode,
    model,
    mcpServers: [],
    fs: 'off',
    terminals: 0,
    replay: () => new Replay(null),
    onLost: noRecord,
    onResume: noRecord,
  };
  const facts = await initialize(options);
  const who = `It speaks version 1 of the Agent Client Protocol, as ${nameOf(facts)}`;
  if (!hasCredentials) {
    const text = `${who}; no session was tried, as only the unit has its credentials`;
    return { verdict: 'unknown', text, mend: null };
  }
  const session = await openNew(options, facts.authMethods);
  await choose(options, session);
  await forget(options, session.sessionId, facts);
  const models = offeredModels(session);
  const offers = models.length === 0 ? '' : `, and offers the models ${oneLine(models.join(', '), 300)}`;
  return { verdict: 'ok', text: `${who}; it opens a session${offers}`, mend: null };
}

/** Has the agent keep nothing of the session, as far as it can. */
async function forget(
  { connection }: HandshakeOptions,
  sessionId: string,
  { agentCapabilities }: InitializedAgent,
): Promise<void> {
  const can = membersOf(membersOf(agentCapabilities)['sessionCapabilities']);
  for (const word of ['close', 'delete']) {
    if (!can[word]) continue;
    // One that refuses has a session without a message.
    await connection.request(`session/${word}`, { sessionId }).catch((error: unknown) => {
      if (!(error instanceof RpcError)) throw error;
    });
  }
}

function nameOf({ agentInfo }: InitializedAgent): string {
  const { name, title, version } = membersOf(agentInfo);
  const known = [title ?? name, version].filter((word) => typeof word === 'string');
  return known.length === 0 ? 'an agent that tells no name' : oneLine(known.join(' '), 100);
}

/** Words by which agents begin to speak the protocol, instead of asking a person. */
const protocolWord = /^-*(?:experimental-)?acp$/;

/** Starts the agent for a person, with the arguments of its first method for a terminal (ACP, "Authentication"). */
function loginCommand(command: readonly string[], home: string, methods: unknown): readonly string[] {
  const words = (Array.isArray(methods) ? methods : [])
    .map((method) => membersOf(method)['args'])
    .find((args): args is string[] => Array.isArray(args) && args.every((arg) => typeof arg === 'string'));
  const program =
    words === undefined ? command.filter((word) => !protocolWord.test(word)) : [...command, ...words];
  return ['env', `HOME=${home}`, ...program];
}
