import { type Dialect, listOf, newId, textOf } from './dialect.js';

/** Anthropic, "Messages": POST /v1/messages. */

const usage = { input_tokens: 7, output_tokens: 5 };
const commonOf = () => ({
  id: newId('msg_'),
  type: 'message',
  role: 'assistant',
  model: 'mock',
  stop_sequence: null,
});

const event = (type: string, members: object) => ({ event: type, data: { type, ...members } });

export const messages: Dialect = {
  lastLine: '',

  read(_path, body) {
    const all = listOf(body['messages']);
    // A message may have the output of a tool and, behind it, what the person wrote since then.
    const parts = all.flatMap(({ role, content }) =>
      role !== 'user'
        ? []
        : typeof content === 'string'
          ? [{ type: 'text', text: content }]
          : listOf(content),
    );
    const last = parts.findLastIndex(({ type }) => type === 'tool_result');
    const since = parts.slice(last + 1).filter(({ text }) => !/^<system-reminder>/.test(String(text)));
    return {
      texts: all.map(({ content }) => textOf(content)),
      asked: textOf(since),
      toolOutput: last >= 0 && since.length === 0 ? textOf([parts[last]]) : null,
      tools: listOf(body['tools']).map(({ name }) => String(name)),
      isStreamed: body['stream'] === true,
    };
  },

  whole: (text) => ({ ...commonOf(), content: [{ type: 'text', text }], stop_reason: 'end_turn', usage }),

  events() {
    let index = 0;
    let reason = 'end_turn';
    const delta = (delta: object) => event('content_block_delta', { index, delta });
    return {
      begin: () => [
        event('message_start', { message: { ...commonOf(), content: [], stop_reason: null, usage } }),
        event('content_block_start', { index, content_block: { type: 'text', text: '' } }),
      ],
      text: (text) => [delta({ type: 'text_delta', text })],
      use: ({ tool, input }) => {
        reason = 'tool_use';
        const stop = event('content_block_stop', { index });
        index += 1;
        const block = { type: 'tool_use', id: newId('toolu_'), name: tool, input: {} };
        return [
          stop,
          event('content_block_start', { index, content_block: block }),
          delta({ type: 'input_json_delta', partial_json: JSON.stringify(input) }),
        ];
      },
      end: () => [
        event('content_block_stop', { index }),
        event('message_delta', { delta: { stop_reason: reason, stop_sequence: null }, usage }),
        event('message_stop', {}),
      ],
    };
  },
};
