import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventsIn } from '../channels/http/openai/front-fixture.js';
import { Front, openAiClients } from './fixture.js';
import { type AnswerCheck, openAiSchemas } from './openai-schema.js';

/** Each answer is valid by what OpenAI publishes of its API. */
describe.skipIf(openAiClients.missing !== null)('by OpenAI’s description', () => {
  let front: Front;
  let check: AnswerCheck;

  beforeAll(async () => {
    front = await Front.start();
    check = await openAiSchemas();
  }, 60_000);
  afterAll(() => front.remove());

  const call = (method: string, path: string, body?: object, secret = front.token) =>
    fetch(front.base + path, {
      method,
      headers: { authorization: `Bearer ${secret}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  const messages = [{ role: 'user', content: 'hello' }];

  test('the check finds what is wrong', () => {
    expect(check('Model', { id: 'x', object: 'model', created: 1, owned_by: 'y' })).toBeNull();
    expect(check('Model', { id: 'x', object: 'model' })).toContain('required');
    expect(check('ResponseStreamEvent', { type: 'response.output_text.delta' })).not.toBeNull();
  });

  test.each([
    ['GET', '/models', undefined, 'ListModelsResponse'],
    ['GET', '/models/default', undefined, 'Model'],
    ['POST', '/chat/completions', { model: 'default', messages }, 'CreateChatCompletionResponse'],
    ['POST', '/chat/completions', { model: 'other', messages }, 'CreateChatCompletionResponse'],
    ['POST', '/responses', { model: 'default', input: 'hello' }, 'Response'],
    ['POST', '/responses', { model: 'other', input: 'hello' }, 'Response'],
    ['POST', '/responses', { model: 'default', input: 'x', background: true }, 'Response'],
    ['POST', '/conversations', { metadata: { a: 'b' } }, 'ConversationResource'],
  ] as const)('%s %s %j is a %s', async (method, path, body, schema) => {
    const response = await call(method, path, body);
    expect(response.status).toBe(200);
    expect(check(schema, await response.json())).toBeNull();
  });

  test.each([
    ['chat completions', '/chat/completions', { messages, stream_options: { include_usage: true } }],
    ['chat completions without usage', '/chat/completions', { messages }],
    ['responses', '/responses', { input: 'hello' }],
    ['responses that fail', '/responses', { input: 'fail' }],
  ] as const)('a stream of %s', async (name, path, body) => {
    const response = await call('POST', path, { model: 'default', stream: true, ...body });
    const { data } = eventsIn(await response.text());
    const isChat = name.startsWith('chat');
    if (isChat) expect(data.at(-1)).toBe('[DONE]');
    const events = isChat ? data.slice(0, -1) : data;
    expect(events.length).toBeGreaterThan(2);
    const schema = isChat ? 'CreateChatCompletionStreamResponse' : 'ResponseStreamEvent';
    const mistakes = events.map((event) => check(schema, JSON.parse(event)));
    expect(mistakes.filter((mistake) => mistake !== null)).toEqual([]);
  });

  test('what reads, cancels and deletes', async () => {
    const made = (await (await call('POST', '/responses', { model: 'default', input: 'x' })).json()) as {
      readonly id: string;
    };
    expect(check('Response', await (await call('GET', `/responses/${made.id}`)).json())).toBeNull();
    expect(check('Response', await (await call('POST', `/responses/${made.id}/cancel`)).json())).toBeNull();
    const failing = { model: 'default', input: 'fail', background: true };
    const { id } = (await (await call('POST', '/responses', failing)).json()) as { readonly id: string };
    await expect
      .poll(async () => (await call('GET', `/responses/${id}`)).text(), { timeout: 20_000 })
      .toContain('"status":"failed"');
    expect(check('Response', await (await call('GET', `/responses/${id}`)).json())).toBeNull();
    const conversation = (await (await call('POST', '/conversations', {})).json()) as { readonly id: string };
    const deleted = await (await call('DELETE', `/conversations/${conversation.id}`)).json();
    expect(check('DeletedConversationResource', deleted)).toBeNull();
  });

  test.each([
    ['GET', '/models', undefined, 'wrong', 401],
    ['GET', '/models/none', undefined, undefined, 404],
    ['DELETE', '/models', undefined, undefined, 405],
    ['GET', '/responses/resp_none', undefined, undefined, 404],
    ['POST', '/chat/completions', { model: 'default' }, undefined, 400],
  ] as const)('%s %s: an error', async (method, path, body, secret, status) => {
    const response = await call(method, path, body, secret ?? front.token);
    expect(response.status).toBe(status);
    expect(check('ErrorResponse', await response.json())).toBeNull();
  });
});
