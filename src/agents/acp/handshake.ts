import type { InitializeRequest, McpServer } from '@agentclientprotocol/sdk';
import { AgentError } from '../agent.js';
import { oneLine } from '../one-line.js';
import type { PromptContent } from './prompt-files.js';
import type { Replay } from './replay.js';
import { type RpcConnection, RpcError } from './rpc.js';
import { type FileAccess, offersFile } from './text-files.js';
import { membersOf } from './updates.js';

/** Version of the Agent Client Protocol that the gateway speaks. */
const protocolVersion = 1;

/** ACP, "Errors": the agent wants a login first. */
export const authRequired = -32000;

/** Longest wait for the answer to one request before a session is open, in milliseconds. Agents read long histories there. */
const answerWithinMs = 60_000;

/** The agent's own session that belongs to one of the gateway's, as it is kept. */
export interface SessionRecord {
  readonly sessionId: string;
  /** The working directory that the agent knows it by. */
  readonly cwd: string;
}

/** Reads a record; null if there is none. */
export function sessionRecord(value: unknown): SessionRecord | null {
  const { sessionId, cwd } = membersOf(value);
  return typeof sessionId === 'string' && typeof cwd === 'string' ? { sessionId, cwd } : null;
}

/** The way in which a session was opened. */
export type Opening =
  | 'new'
  /** As it was left (`session/resume`). */
  | 'resumed'
  /** As it was left, told once more (`session/load`). */
  | 'loaded'
  /** The agent has answered as if it knew the session, and told nothing of it. */
  | 'empty';

export interface OpenedSession {
  readonly sessionId: string;
  readonly opening: Opening;
  /** Ways to log in, as the agent gave them. */
  readonly authMethods: unknown;
  /** Content that a prompt may have. */
  readonly takes: PromptContent;
}

/** Stands for a session that is still to be opened. */
export const unopened: OpenedSession = {
  sessionId: '',
  opening: 'new',
  authMethods: null,
  takes: promptContent(null),
};

/** The agent opens no session before somebody has logged in. */
export class LoginWanted extends AgentError {
  /** `methods`: as the agent gave them (`authMethods`). */
  constructor(
    reason: string,
    readonly methods: unknown,
  ) {
    super('unavailable', `the agent wants a login (${reason}): ${loginHint(methods)}`, true);
  }
}

export interface HandshakeOptions {
  readonly connection: RpcConnection;
  readonly cwd: string;
  readonly mcpServers: readonly McpServer[];
  readonly mode: string | null;
  readonly model: string | null;
  readonly fs: FileAccess;
  /** Terminals of a turn at a time; 0: none are offered. */
  readonly terminals: number;
  /** Makes what takes the updates that come from now on. */
  readonly replay: () => Replay;
  /** Tells why a session that there was could not be opened again. */
  readonly onLost: (reason: string) => void;
  /** Called before the agent is asked for a session that there was. */
  readonly onResume: () => void;
}

/** The text of an error answer: agents put what matters into either member. */
export function errorText({ code, message, data }: RpcError): string {
  const { details, message: inner } = membersOf(data);
  const more = [data, details, inner].find((text) => typeof text === 'string' && text !== message);
  return oneLine(
    `error${code === null ? '' : ` ${code}`}: ${message}${more === undefined ? '' : `: ${more}`}`,
    1_000,
  );
}

/**
 * Begins to speak with an agent, and opens its session: the one of the record, or a new one.
 *
 * @throws AgentError of reason `unavailable`, or the reason of the connection's end
 */
export async function openSession(
  options: HandshakeOptions,
  record: SessionRecord | null,
): Promise<OpenedSession> {
  const { agentCapabilities, authMethods } = await initialize(options);
  const again = record === null ? null : await openAgain(options, record, agentCapabilities);
  const opened = again ?? (await openNew(options, authMethods));
  await choose(options, opened);
  const { sessionId, opening } = opened;
  const { promptCapabilities } = membersOf(agentCapabilities);
  return { sessionId, opening, authMethods, takes: promptContent(promptCapabilities) };
}

function promptContent(capabilities: unknown): PromptContent {
  const { image, audio, embeddedContext } = membersOf(capabilities);
  return { image: image === true, audio: audio === true, embeddedContext: embeddedContext === true };
}

/** The agent's answer to `initialize`, as it came. */
export type InitializedAgent = Readonly<Record<'agentCapabilities' | 'authMethods' | 'agentInfo', unknown>>;

/**
 * Begins to speak with an agent.
 *
 * @throws AgentError of reason `unavailable`, or the reason of the connection's end
 */
export async function initialize(
  options: Pick<HandshakeOptions, 'connection' | 'fs' | 'terminals'>,
): Promise<InitializedAgent> {
  const request: InitializeRequest = {
    protocolVersion,
    // All that is not named is off: the agent works on its own files, in its own sandbox.
    clientCapabilities: {
      fs: {
        readTextFile: offersFile('fs/read_text_file', options.fs),
        writeTextFile: offersFile('fs/write_text_file', options.fs),
      },
      terminal: options.terminals > 0,
      // A person can start the agent by hand: it names the arguments for that.
      auth: { terminal: true },
    },
    clientInfo: { name: 'sd-gateway', version: '1' },
  };
  const initialized = membersOf(
    await ask(options, 'initialize', request).catch((error: unknown) => {
      throw new AgentError('unavailable', `the agent refused to begin: ${refusal(error)}`, true);
    }),
  );
  if (initialized['protocolVersion'] !== protocolVersion) {
    throw new AgentError(
      'unavailable',
      `the agent speaks version ${oneLine(JSON.stringify(initialized['protocolVersion'] ?? null), 20)} of the Agent Client Protocol, and the gateway version ${protocolVersion}: use another version of the agent`,
      true,
    );
  }
  const { agentCapabilities, authMethods, agentInfo } = initialized;
  return { agentCapabilities, authMethods, agentInfo };
}

export interface AnsweredSession extends Omit<OpenedSession, 'authMethods' | 'takes'> {
  /** The answer, which tells the modes and models. */
  readonly answer: unknown;
}

/** Null: the agent has lost the session, or can open none again. */
async function openAgain(
  options: HandshakeOptions,
  { sessionId }: SessionRecord,
  capabilities: unknown,
): Promise<AnsweredSession | null> {
  const { loadSession, sessionCapabilities } = membersOf(capabilities);
  const { cwd, mcpServers, onLost, onResume } = options;
  const reasons: string[] = [];
  if (membersOf(sessionCapabilities)['resume']) {
    onResume();
    try {
      const answer = await ask(options, 'session/resume', { sessionId, cwd, mcpServers });
      return { sessionId, opening: 'resumed', answer };
    } catch (error) {
      // Some announce it and don't have it.
      reasons.push(`session/resume: ${refusal(error)}`);
    }
  }
  if (loadSession === true) {
    onResume();
    try {
      const replay = options.replay();
      const answer = await ask(options, 'session/load', { sessionId, cwd, mcpServers });
      await replay.end();
      // Some take any id for one that they know.
      if (replay.hasMessages) return { sessionId, opening: 'loaded', answer };
      onLost('session/load: it told no message of the session');
      return { sessionId, opening: 'empty', answer };
    } catch (error) {
      reasons.push(`session/load: ${refusal(error)}`);
    }
  }
  onLost(reasons.join('; ') || 'it can open no session again');
  return null;
}

/** The reason in an answer that is an error; anything else is thrown on. */
function refusal(error: unknown): string {
  if (error instanceof RpcError) return errorText(error);
  throw error;
}

/**
 * Opens a new session.
 *
 * @throws AgentError of reason `unavailable`; a `LoginWanted` if the agent wants a login first
 */
export async function openNew(options: HandshakeOptions, authMethods: unknown): Promise<AnsweredSession> {
  const { cwd, mcpServers } = options;
  let answer: unknown;
  try {
    answer = await ask(options, 'session/new', { cwd, mcpServers });
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (error.code === authRequired) throw new LoginWanted(errorText(error), authMethods);
    throw new AgentError('unavailable', `the agent opened no session: ${errorText(error)}`, true);
  }
  const { sessionId } = membersOf(answer);
  if (typeof sessionId !== 'string' || sessionId === '') {
    throw new AgentError('unavailable', 'the agent answered session/new without a session id', true);
  }
  return { sessionId, opening: 'new', answer };
}

function loginHint(authMethods: unknown): string {
  const names = (Array.isArray(authMethods) ? authMethods : [])
    .map((method) => membersOf(method)['name'])
    .filter((name) => typeof name === 'string')
    .map((name) => `"${oneLine(name, 60)}"`);
  const offered = names.length === 0 ? '' : ` It offers ${names.slice(0, 10).join(', ')}.`;
  return `log in once as the gateway's user and with its HOME, or give it a key in its environment.${offered}`;
}

/** Chooses mode and model, where the configuration names them. @throws AgentError of reason `unavailable` */
export async function choose(
  options: HandshakeOptions,
  { sessionId, answer }: AnsweredSession,
): Promise<void> {
  const { configOptions, modes, models } = membersOf(answer);
  const offered = Array.isArray(configOptions) ? configOptions.map(membersOf) : [];
  for (const [category, value] of [
    ['mode', options.mode],
    ['model', options.model],
  ] as const) {
    if (value === null) continue;
    const option = offered.find((each) => each['category'] === category || each['id'] === category);
    const [method, params, values] =
      option !== undefined
        ? [
            'session/set_config_option',
            { sessionId, configId: option['id'], value },
            optionValues(option['options']),
          ]
        : category === 'mode'
          ? ['session/set_mode', { sessionId, modeId: value }, ids(modes, 'availableModes', 'id')]
          : // Not in the protocol any more, and what agents of the time before know.
            ['session/set_model', { sessionId, modelId: value }, ids(models, 'availableModels', 'modelId')];
    if (!values.includes(value)) {
      const known = values.length === 0 ? 'it offers none' : `it offers ${values.slice(0, 30).join(', ')}`;
      throw new AgentError(
        'unavailable',
        `the agent has no ${category} "${value}" (agent.${category}): ${oneLine(known, 1_000)}`,
        true,
      );
    }
    try {
      await ask(options, method, params);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw new AgentError(
        'unavailable',
        `the agent refused the ${category} "${value}" (agent.${category}): ${errorText(error)}`,
        true,
      );
    }
  }
}

/** The models that the agent offers for a session. */
export function offeredModels({ answer }: AnsweredSession): readonly string[] {
  const { configOptions, models } = membersOf(answer);
  const offered = Array.isArray(configOptions) ? configOptions.map(membersOf) : [];
  const option = offered.find((each) => each['category'] === 'model' || each['id'] === 'model');
  return option === undefined ? ids(models, 'availableModels', 'modelId') : optionValues(option['options']);
}

/** Options stand in a list, or in groups. */
function optionValues(options: unknown): readonly string[] {
  if (!Array.isArray(options)) return [];
  return options.flatMap((option) => {
    const { value, options: group } = membersOf(option);
    return typeof value === 'string' ? [value] : optionValues(group);
  });
}

function ids(state: unknown, list: string, id: string): readonly string[] {
  const items = membersOf(state)[list];
  return (Array.isArray(items) ? items : [])
    .map((item) => membersOf(item)[id])
    .filter((value) => typeof value === 'string');
}

/** Rejects with an `AgentError` if no answer comes in time. */
async function ask(
  { connection }: Pick<HandshakeOptions, 'connection'>,
  method: string,
  params: object,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new AgentError(
          'unavailable',
          `the agent did not answer ${method} within ${answerWithinMs / 1_000} s`,
          true,
        ),
      );
    }, answerWithinMs);
  });
  try {
    return await Promise.race([connection.request(method, params), late]);
  } finally {
    clearTimeout(timer);
  }
}
