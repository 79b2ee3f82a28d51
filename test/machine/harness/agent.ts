/** An agent that answers only once a file is there: a turn that lasts exactly as long as the test wants. */
export function agentThatWaitsFor(file: string): Readonly<Record<string, string>> {
  return {
    SD_GATEWAY_AGENT_TYPE: 'command',
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
      '/bin/sh',
      '-c',
      `cat >/dev/null; while ! test -e ${file}; do sleep 0.05; done; echo done`,
    ]),
  };
}

/** An ACP agent that asks for permission in each turn, and answers with the option that was chosen. */
export const askingAgent = `
import { createInterface } from 'node:readline';
const send = (message) => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
const sessionId = 's';
let prompt;
for await (const line of createInterface(process.stdin)) {
  const { id, method, result } = JSON.parse(line);
  if (method === 'initialize') send({ id, result: { protocolVersion: 1, agentCapabilities: {} } });
  else if (method === 'session/new') send({ id, result: { sessionId } });
  else if (method === 'session/prompt') {
    prompt = id;
    const options = [
      { optionId: 'yes', name: 'Yes', kind: 'allow_once' },
      { optionId: 'no', name: 'No', kind: 'reject_once' },
    ];
    const toolCall = { toolCallId: 'c', kind: 'execute', title: 'make', rawInput: { command: 'make' } };
    send({ id: 'ask', method: 'session/request_permission', params: { sessionId, toolCall, options } });
  } else if (id === 'ask') {
    const text = result.outcome.optionId ?? result.outcome.outcome;
    const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } };
    send({ method: 'session/update', params: { sessionId, update } });
    send({ id: prompt, result: { stopReason: 'end_turn' } });
  }
}
`;
