import { type Dialect, listOf, newId, textOf } from './dialect.js';

/** OpenAI, "Chat Completions": POST /v1/chat/completions. */

const usage = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
const commonOf = () => ({ id: newId('chatcmpl-'), created: 0, model: 'mock' });

export const chatCompletions: Dialect = {
  lastLine: 'data: [DONE]\n\n',

  read(_path, body) {
    const messages = listOf(body['messages']);
    const last = messages.at(-1);
    return {
      texts: messages.map(({ content }) => textOf(content)),
      asked: textOf(messages.findLast(({ role }) => role === 'user')?.['content']),
      toolOutput: last?.['role'] === 'tool' ? textOf(last['content']) : null,
      tools: listOf(body['tools']).map(({ function: tool }) => String((tool as { name: unknown }).name)),
      isStreamed: body['stream'] === true,
    };
  },

  whole(content) {
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
    return { ...commonOf(), object: 'chat.completion', choices, usage };
  },

  events() {
    const common = commonOf();
    let finish = 'stop';
    const chunk = (delta: object, finish_reason: string | null = null) => {
      const choices = [{ index: 0, delta, finish_reason }];
      return { data: { ...common, object: 'chat.completion.chunk', choices } };
    };
    return {
      begin: () => [chunk({ role: 'assistant', content: '' })],
      text: (content) => [chunk({ content })],
      use: ({ tool, input }) => {
        finish = 'tool_calls';
        const call = { name: tool, arguments: JSON.stringify(input) };
        return [chunk({ tool_calls: [{ index: 0, id: newId('call_'), type: 'function', function: call }] })];
      },
      end: () => [
        chunk({}, finish),
        { data: { ...common, object: 'chat.completion.chunk', choices: [], usage } },
      ],
    };
  },
};
