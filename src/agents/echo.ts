import { type Agent, AgentError, type AgentEvent, type AgentRequest } from './agent.js';

/** Replies with the message itself: shows that the whole path works before an agent of one's own is set up. */
export class EchoAgent implements Agent {
  readonly type = 'echo';

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    if (signal.aborted) throw new AgentError('cancelled', 'the turn was cancelled', true);
    yield { type: 'end', reply: { text: request.text, metadata: {} } };
  }
}
