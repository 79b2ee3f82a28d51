import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Front, load, openAiClients } from './fixture.js';

type Model = object;
type Provider = (model: string) => Model;

interface Ai {
  generateText(
    options: object,
  ): Promise<{ readonly text: string; readonly usage: { readonly totalTokens?: number } }>;
  streamText(options: object): {
    readonly textStream: AsyncIterable<string>;
    readonly finishReason: Promise<string>;
  };
}

interface LangChain {
  readonly ChatOpenAI: new (
    options: object,
  ) => {
    invoke(messages: readonly object[]): Promise<{ readonly content: string }>;
    stream(text: string): Promise<AsyncIterable<{ readonly content: string }>>;
  };
}

/** Frameworks that reach the gateway by their own code for OpenAI’s API. */
describe.skipIf(openAiClients.missing !== null)('frameworks', { timeout: 60_000 }, () => {
  let front: Front;
  let ai: Ai;

  beforeAll(async () => {
    front = await Front.start();
    ai = await load<Ai>('ai');
  }, 60_000);
  afterAll(() => front.remove());

  const providers: Readonly<Record<string, () => Promise<Provider>>> = {
    'openai-compatible': async () => {
      const { createOpenAICompatible } = await load<{
        readonly createOpenAICompatible: (options: object) => { readonly chatModel: Provider };
      }>('@ai-sdk/openai-compatible');
      return createOpenAICompatible({
        name: 'gateway',
        baseURL: front.base,
        apiKey: front.token,
        includeUsage: true,
      }).chatModel;
    },
    'open-responses': async () => {
      const { createOpenResponses } = await load<{
        readonly createOpenResponses: (options: object) => Provider;
      }>('@ai-sdk/open-responses');
      return createOpenResponses({ name: 'gateway', url: `${front.base}/responses`, apiKey: front.token });
    },
  };

  test.each(Object.keys(providers))('the AI SDK with %s', async (name) => {
    const model = (await providers[name]?.())?.('default');
    const whole = await ai.generateText({ model, prompt: 'hello', system: 'Be brief.' });
    expect(whole.text).toBe('You said: hello [Be brief.]');
    expect(whole.usage.totalTokens).toBe(9);
    const stream = ai.streamText({ model, prompt: 'hello' });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    expect(text).toBe('You said: hello');
    expect(await stream.finishReason).toBe('stop');
    await expect(ai.generateText({ model, prompt: 'fail', maxRetries: 0 })).rejects.toThrow();
  });

  test.each([false, true])('LangChain’s, by responses: %s', async (useResponsesApi) => {
    const { ChatOpenAI } = await load<LangChain>('@langchain/openai');
    const model = new ChatOpenAI({
      model: 'default',
      apiKey: front.token,
      configuration: { baseURL: front.base },
      useResponsesApi,
      maxRetries: 0,
    });
    const answer = await model.invoke([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'hello' },
    ]);
    expect(textOf(answer)).toBe('You said: hello [Be brief.]');
    let text = '';
    for await (const chunk of await model.stream('hello')) text += textOf(chunk);
    expect(text).toBe('You said: hello');
  });
});

function textOf({ content }: { readonly content: unknown }): string {
  if (typeof content === 'string') return content;
  return (content as readonly { readonly text?: string }[]).map(({ text = '' }) => text).join('');
}
