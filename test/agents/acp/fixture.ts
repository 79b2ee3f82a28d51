import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { AcpAgent, type AcpAgentOptions } from '../../../src/agents/acp/acp-agent.js';
import {
  AgentError,
  type AgentEvent,
  type AgentReply,
  type AgentRequest,
} from '../../../src/agents/agent.js';
import type { TurnProcess } from '../../../src/agents/turn-processes.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { agentRequest } from '../../support/agent-request.js';

/** The agent with faults, whose argument is a `Fault`. */
export const program = fileURLToPath(new URL('../../support/acp-agent.mjs', import.meta.url));

export interface Fault {
  readonly resume?: true | 'refused';
  readonly load?: true | 'late' | 'slow' | 'empty' | 'refused';
  readonly dieAt?: string;
  readonly hangAt?: string;
  readonly version?: number;
  readonly auth?: boolean;
  readonly deaf?: boolean;
  readonly noCancel?: boolean;
  readonly stubborn?: boolean;
  readonly forgets?: boolean;
  readonly images?: boolean;
  readonly audio?: boolean;
  readonly embeds?: boolean;
}

/** A gateway's side of the agent with faults of test/support/acp-agent.mjs; all of it ends with the test. */
export class Place {
  readonly directory = mkdtempSync(join(tmpdir(), 'acp-agent-'));
  readonly log = new RecordingLog();
  readonly processes = new Set<TurnProcess>();
  readonly #agents: AcpAgent[] = [];

  constructor() {
    onTestFinished(async () => {
      await Promise.all(this.#agents.map((agent) => agent.close()));
      rmSync(this.directory, { recursive: true });
    });
  }

  agent(fault: Fault = {}, options: Partial<AcpAgentOptions> = {}): AcpAgent {
    const agent = new AcpAgent({
      command: [process.execPath, program, JSON.stringify(fault)],
      connect: null,
      cwd: null,
      mcpServers: null,
      mode: null,
      model: null,
      allow: [],
      ask: [],
      fs: 'off',
      terminals: 0,
      idle: 60_000,
      processesLimit: 8,
      killDelay: 2_000,
      replyLimit: 1024 ** 2,
      memoryMax: null,
      groups: null,
      directory: this.directory,
      environment: process.env,
      env: [],
      log: this.log,
      processes: this.processes,
      ...options,
    });
    this.#agents.push(agent);
    return agent;
  }

  /** The requests that the agent got, in all its processes. */
  asked(): readonly { readonly pid: number; readonly method: string; readonly params: never }[] {
    const file = join(this.directory, 'home', 'acp-journal');
    if (!existsSync(file)) return [];
    // The file is there before its first line, and a line before its end.
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  /** The methods that it was asked for, of one kind of them. */
  methods(pattern = /^session\//): readonly string[] {
    return this.asked()
      .map(({ method }) => method)
      .filter((method) => pattern.test(method));
  }

  /** Resolves once the agent was asked for that, so many times. */
  async isAsked(method: string, times = 1): Promise<void> {
    while (this.methods(/./).filter((each) => each === method).length < times) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Resolves once no process is part of a turn: what a turn has left behind is looked for behind its reply. */
  async isClear(): Promise<void> {
    while (this.processes.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  logged(): readonly string[] {
    return this.log.records.map(({ message }) => message);
  }
}

export interface TurnOutcome {
  readonly events: readonly AgentEvent[];
  readonly reply: AgentReply | null;
  readonly error: AgentError | null;
}

/** Runs a turn whose text is a script for the agent, to its end. */
export async function turn(
  agent: AcpAgent,
  text: string | readonly string[],
  changes: Partial<AgentRequest> = {},
  signal: AbortSignal = new AbortController().signal,
  onEvent: (event: AgentEvent) => void = () => undefined,
): Promise<TurnOutcome> {
  const request = agentRequest({ text: typeof text === 'string' ? text : text.join('\n'), ...changes });
  const events: AgentEvent[] = [];
  let reply: AgentReply | null = null;
  try {
    for await (const event of agent.run(request, signal)) {
      events.push(event);
      onEvent(event);
      if (event.type === 'end') reply = event.reply;
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { events, reply: null, error };
  }
  return { events, reply, error: null };
}

/** The text of a turn's reply. */
export async function said(...of: Parameters<typeof turn>): Promise<string> {
  const { reply, error } = await turn(...of);
  if (error !== null) throw error;
  return reply?.text ?? '';
}

/** The error of a turn that fails. */
export async function failure(...of: Parameters<typeof turn>): Promise<AgentError> {
  const { error } = await turn(...of);
  if (error === null) throw new Error('The turn did not fail.');
  return error;
}
