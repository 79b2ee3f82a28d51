import { type Agent, AgentError, type AgentEvent, type AgentRequest } from './agent.js';

/** Replies with the message itself, or the names of its files if it has no text: shows that the whole path works before an agent of one's own is set up. */
export class EchoAgent implements Agent {
  readonly type = 'echo';

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    if (signal.aborted) throw new AgentError('cancelled', 'the turn was cancelled', true);
    const text = request.text || request.files.map(({ name }) => name).join('\n');
    yield { type: 'end', reply: { text, metadata: {} } };
  }
}
