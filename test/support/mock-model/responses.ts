import { type Dialect, listOf, newId, textOf } from './dialect.js';

/** OpenAI, "Responses": POST /v1/responses. */

const usage = {
  input_tokens: 7,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 12,
};

const messageOf = (text: string, id = newId('msg_')) => ({
  type: 'message',
  id,
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
});

const responseOf = (output: readonly object[], status: string) => ({
  id: newId('resp_'),
  object: 'response',
  created_at: 0,
  model: 'mock',
  status,
  output,
  usage: status === 'completed' ? usage : null,
});

const event = (type: string, members: object) => ({ event: type, data: { type, ...members } });

export const responses: Dialect = {
  lastLine: '',

  read(_path, body) {
    const input = listOf(body['input']);
    const last = input.at(-1);
    const output = last?.['output'];
    return {
      texts: input.map(({ content, output }) => textOf(content ?? output)),
      asked: textOf(input.findLast(({ role }) => role === 'user')?.['content']),
      toolOutput: /_output$/.test(String(last?.['type'])) ? textOf(output) || JSON.stringify(output) : null,
      tools: listOf(body['tools']).map(({ name, type }) => String(name ?? type)),
      isStreamed: body['stream'] === true,
    };
  },

  whole: (text) => responseOf([messageOf(text)], 'completed'),

  events() {
    const output: object[] = [];
    const id = newId('msg_');
    let text = '';
    let callCount = 0;
    return {
      begin: () => [
        event('response.created', { response: responseOf([], 'in_progress') }),
        event('response.output_item.added', {
          output_index: 0,
          item: { ...messageOf('', id), status: 'in_progress', content: [] },
        }),
      ],
      text: (delta) => {
        text += delta;
        return [
          event('response.output_text.delta', {
            item_id: id,
            output_index: 0,
            content_index: 0,
            delta,
          }),
        ];
      },
      use: ({ tool, input }) => {
        callCount += 1;
        const item = {
          type: 'function_call',
          id: newId('fc_'),
          call_id: newId('call_'),
          name: tool,
          arguments: JSON.stringify(input),
          status: 'completed',
        };
        output.push(item);
        return [event('response.output_item.done', { output_index: callCount, item })];
      },
      end: () => {
        const spoken = text === '' ? [] : [messageOf(text, id)];
        return [
          ...spoken.map((item) => event('response.output_item.done', { output_index: 0, item })),
          event('response.completed', { response: responseOf([...spoken, ...output], 'completed') }),
        ];
      },
    };
  },
};
