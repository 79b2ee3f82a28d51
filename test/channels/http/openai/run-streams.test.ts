import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ChatChunks } from '../../../../src/channels/http/openai/chat-completion.js';
import { RunStreams } from '../../../../src/channels/http/openai/run-streams.js';
import type { Message } from '../../../../src/store/messages.js';
import { until } from './front-fixture.js';

const message = {
  id: '01a22fcd-7868-7486-94f5-7a2cca0eb3ae',
  session: 'openai:ci:a',
  state: 'running',
  metadata: {},
  acceptedAt: 1,
  collectedIn: null,
} as Partial<Message> as Message;

/** A server whose every answer is the stream of that message. */
async function served(read: () => Promise<Message | null>) {
  const errors: string[] = [];
  const streams = new RunStreams({
    store: { message: read, deltas: async () => ({ items: [], more: false }) },
    changes: { subscribeSession: () => () => undefined },
    log: { err: (text) => void errors.push(text) },
    heartbeat: 20,
  });
  const server = createServer((_request, response) => {
    void streams.serve(message, new ChatChunks(message, false), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return { reader: (response.body as ReadableStream<Uint8Array>).getReader(), streams, errors };
}

test('while nothing comes, comments keep the connection', async () => {
  const { reader, streams } = await served(async () => message);
  expect(await until(reader, ':\n\n:\n\n')).not.toContain('event:');
  expect(streams.count).toBe(1);
  streams.end();
  await until(reader, 'gateway_stopping');
});

test('a session that is deleted ends the stream with an error', async () => {
  const { reader } = await served(async () => null);
  expect(await until(reader, 'run_deleted')).not.toContain('[DONE]');
});

test('a store that fails breaks the stream off, and the log tells of it', async () => {
  const { reader, errors } = await served(async () => {
    throw new Error('the disk is away');
  });
  await expect(until(reader, '[DONE]')).rejects.toThrow();
  expect(errors).toMatchObject([expect.stringContaining('the disk is away')]);
});
