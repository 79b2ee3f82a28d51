import { afterEach, describe, expect, it } from 'vitest';
import { type ModelServerSettings, tryModelServer } from '../../../src/agents/openai/try-model-server.js';
import { answer, ModelServer, type Script } from '../../support/model-server.js';

const servers: ModelServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function listen(script: Script): Promise<ModelServer> {
  const server = await ModelServer.listen(script);
  servers.push(server);
  return server;
}

describe('a look at the server', () => {
  const look = (server: ModelServer, options: Partial<ModelServerSettings> = {}, environment = {}) =>
    tryModelServer(
      {
        baseUrl: server.baseUrl,
        model: 'small',
        keyFile: null,
        keyCredential: null,
        systemFile: null,
        ...options,
      },
      environment,
      AbortSignal.timeout(10_000),
    );
  const list = answer('200 OK', { data: [{ id: 'small' }, { id: 'llama3.2:latest' }] });

  it.each([
    ['has the model', list, {}, 'ok', /^The server at http:\S+ has the model "small"\.$/],
    ['has it under its tag', list, { model: 'llama3.2' }, 'ok', /has the model "llama3.2"/],
    [
      'has others',
      list,
      { model: 'x' },
      'warning',
      /doesn’t list the model "x": the server has "small", "llama3/,
    ],
    ['has none', answer('200 OK', { data: [] }), {}, 'warning', /the server lists no model/],
    [
      'refuses the key',
      answer('401 No', 'no'),
      {},
      'problem',
      /^The model’s server answered HTTP 401: no; check the key/,
    ],
    ['is another one', answer('200 OK', '<p>'), {}, 'problem', /content type/],
    ['is down', list, { baseUrl: 'http://127.0.0.1:9' }, 'problem', /can’t be reached/],
    ['needs a file', list, { systemFile: '/nonexistent' }, 'problem', /agent.system_file/],
    ['needs a credential', list, { keyCredential: 'k' }, 'unknown', /which only the gateway can read/],
  ])('%s', async (_name, script, options, verdict, text) => {
    const server = await listen(script);
    const finding = await look(server, options);
    expect(finding.text).toMatch(text);
    expect(finding.verdict).toBe(verdict);
  });

  it('has a step for a server that is away', async () => {
    const server = await listen(list);
    const finding = await look(server, { baseUrl: 'http://127.0.0.1:9' });
    expect(finding.mend).toBe('Start that server, or check base_url');
  });

  it('asks with the key, and for the list only', async () => {
    const server = await listen(list);
    await look(server, {}, { OPENAI_API_KEY: 'k1' });
    expect(server.received).toMatchObject([
      { line: 'GET /v1/models HTTP/1.1', headers: { authorization: 'Bearer k1' }, body: '' },
    ]);
  });
});
