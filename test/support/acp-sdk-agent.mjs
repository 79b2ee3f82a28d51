// An agent made with the SDK of the protocol, which checks all that it is sent.
import { execSync } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { agent, methods, ndJsonStream } from '@agentclientprotocol/sdk';

const cancelled = new Map();
const text = (words) => ({ type: 'text', text: words });

const say = (client, sessionId, words) =>
  client.notify(methods.client.session.update, {
    sessionId,
    update: { sessionUpdate: 'agent_message_chunk', content: text(words) },
  });

agent({ name: 'of the SDK' })
  .onRequest(methods.agent.initialize, ({ params }) => ({
    protocolVersion: params.protocolVersion,
    agentCapabilities: { loadSession: true, sessionCapabilities: { resume: {} } },
  }))
  .onRequest(methods.agent.session.new, ({ params }) => ({ sessionId: `of ${params.cwd}` }))
  .onRequest(methods.agent.session.resume, () => ({}))
  .onRequest(methods.agent.session.load, () => ({}))
  .onRequest(methods.agent.session.prompt, async ({ params, client }) => {
    const { sessionId, prompt } = params;
    const words = prompt.at(-1).text;
    if (words === 'ask') {
      const { outcome } = await client.request(methods.client.session.requestPermission, {
        sessionId,
        toolCall: { toolCallId: '1', title: 'Write', kind: 'edit' },
        options: [{ optionId: 'no', name: 'No', kind: 'reject_once' }],
      });
      await say(client, sessionId, JSON.stringify(outcome));
    } else if (words.startsWith('say ')) {
      await say(client, sessionId, words.slice(4));
    } else if (words.startsWith('run ')) {
      const command = words.slice(4);
      const { outcome } = await client.request(methods.client.session.requestPermission, {
        sessionId,
        toolCall: { toolCallId: '1', title: command, kind: 'execute', rawInput: { command } },
        options: [
          { optionId: 'yes', name: 'Yes', kind: 'allow_once' },
          { optionId: 'no', name: 'No', kind: 'reject_once' },
        ],
      });
      const isAllowed = outcome.outcome === 'selected' && outcome.optionId === 'yes';
      await say(client, sessionId, isAllowed ? `It gave: ${execSync(command)}` : 'It may not.');
    } else if (words === 'wait') {
      await new Promise((resolve) => cancelled.set(sessionId, resolve));
      return { stopReason: 'cancelled' };
    } else {
      await say(client, sessionId, `${sessionId}: ${words}`);
    }
    return { stopReason: 'end_turn' };
  })
  .onNotification(methods.agent.session.cancel, ({ params }) => cancelled.get(params.sessionId)?.())
  .connect(ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)));
