import { type Dialect, listOf, textOf } from './dialect.js';

/** Gemini API: POST /v1beta/models/MODEL:streamGenerateContent and :generateContent. */

const usageMetadata = { promptTokenCount: 7, candidatesTokenCount: 5, totalTokenCount: 12 };

const candidate = (parts: readonly object[], finishReason?: string) => ({
  candidates: [{ index: 0, content: { role: 'model', parts }, ...(finishReason && { finishReason }) }],
  usageMetadata,
  modelVersion: 'mock',
});

export const gemini: Dialect = {
  lastLine: '',

  read(path, body) {
    const contents = listOf(body['contents']);
    const responsesIn = (content: Readonly<Record<string, unknown>> | undefined) =>
      listOf(content?.['parts']).flatMap(({ functionResponse }) => functionResponse ?? []);
    const outputs = responsesIn(contents.at(-1));
    const asked = contents.findLast(
      (content) => content['role'] === 'user' && responsesIn(content).length === 0,
    );
    return {
      texts: contents.map(({ parts }) => textOf(parts)),
      asked: textOf(asked?.['parts']),
      toolOutput: outputs.length === 0 ? null : JSON.stringify(outputs),
      tools: listOf(body['tools']).flatMap(({ functionDeclarations }) =>
        listOf(functionDeclarations).map(({ name }) => String(name)),
      ),
      isStreamed: path.includes(':streamGenerateContent'),
    };
  },

  whole: (text) => ({ ...candidate([{ text }], 'STOP'), totalTokens: 7 }),

  events: () => ({
    begin: () => [],
    text: (text) => [{ data: candidate([{ text }]) }],
    use: ({ tool, input }) => [{ data: candidate([{ functionCall: { name: tool, args: input } }]) }],
    end: () => [{ data: candidate([{ text: '' }], 'STOP') }],
  }),
};
