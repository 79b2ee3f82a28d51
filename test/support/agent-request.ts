import type { AgentRequest } from '../../src/agents/agent.js';

/** The input of a turn for tests of agents. */
export function agentRequest(changes: Partial<AgentRequest> = {}): AgentRequest {
  return {
    turnId: 'turn-1',
    messageId: 'message-1',
    session: 'alice',
    generation: 1,
    seq: 1,
    attempt: 1,
    putBacks: 0,
    text: 'hello',
    metadata: {},
    sender: null,
    collected: [],
    files: [],
    history: async () => [],
    agentSession: agentSessionRecord(),
    ...changes,
  };
}

/** Keeps its value in memory. */
export function agentSessionRecord(): AgentRequest['agentSession'] {
  let value: Awaited<ReturnType<AgentRequest['agentSession']['read']>> = null;
  return {
    read: async () => value,
    write: async (written) => {
      value = written;
    },
  };
}
