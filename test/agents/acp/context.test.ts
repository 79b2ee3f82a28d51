import { expect, test } from 'vitest';
import { turnPrompt } from '../../../src/agents/acp/context.js';
import type { AgentRequest } from '../../../src/agents/agent.js';

test('a client’s own text for the system stands before its message', () => {
  const request = {
    turnId: 't',
    messageId: 'm',
    attempt: 1,
    putBacks: 0,
    text: 'hello',
    metadata: { openai: { instructions: 'In French.' } },
  } as Partial<AgentRequest> as AgentRequest;
  const { prompt } = turnPrompt(request, { sessionId: 's', context: null, files: [] });
  expect(prompt).toEqual([
    { type: 'text', text: 'Instructions for this message:\n\nIn French.' },
    { type: 'text', text: 'hello' },
  ]);
});
