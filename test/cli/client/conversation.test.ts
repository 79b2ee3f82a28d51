import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Conversation, type TurnListener } from '../../../src/cli/client/conversation.js';
import { GatewayClient } from '../../../src/cli/client/http.js';

const silent: TurnListener = {
  text: () => undefined,
  restart: () => undefined,
  status: () => undefined,
  question: () => undefined,
};

/** Says something to a gateway that answers a post with the one status, and everything else with 403. */
async function sayTo(postStatus: number) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const body = request.method === 'POST' && postStatus === 202 ? { id: 'm1' } : { detail: 'no right' };
      response.writeHead(request.method === 'POST' ? postStatus : 403).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const client = new GatewayClient(`http://127.0.0.1:${port}`, 'a'.repeat(43));
  return new Conversation(client, 's').say('hello', silent, new AbortController().signal);
}

it('tells a message that is refused from one that is taken and can’t be followed', async () => {
  expect(await sayTo(403)).toMatchObject({ id: '', state: 'refused', text: 'no right' });
  expect(await sayTo(202)).toMatchObject({ id: 'm1', state: 'unfollowed', text: 'no right' });
});
