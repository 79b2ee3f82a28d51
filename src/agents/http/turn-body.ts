import type { AgentRequest } from '../agent.js';
import { fileFacts, jsonInput } from '../command-input.js';

/** The body that is posted for a turn, in the form that Standard Webhooks suggests. `now`: ms since the Unix epoch. */
export function turnBody(request: AgentRequest, now: number): string {
  const attachments = request.files.map((file) => ({ ...fileFacts(file), path: file.path }));
  return JSON.stringify({
    type: 'turn',
    timestamp: new Date(now).toISOString(),
    data: jsonInput(request, attachments),
  });
}
