import { tableOf } from '../store/records.js';
import type { AgentRequest } from './agent.js';

/** The system's text that a client of the OpenAI-compatible API sent with the message (docs/openai-front.md); null: none. */
export function instructionsOf({ metadata }: Pick<AgentRequest, 'metadata'>): string | null {
  const { instructions } = tableOf(metadata['openai'] ?? null);
  return typeof instructions === 'string' && instructions !== '' ? instructions : null;
}
