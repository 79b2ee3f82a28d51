import { describe, expect, test } from 'vitest';
import { conversationText } from '../../../src/agents/acp/context.js';
import { permissionAnswer, permissionPolicy, questionOptions } from '../../../src/agents/acp/permissions.js';
import { turnReply } from '../../../src/agents/acp/reply.js';
import { TurnUpdates, toolCallFacts, usageOf } from '../../../src/agents/acp/updates.js';
import type { AgentEvent, EarlierTurn } from '../../../src/agents/agent.js';
import type { GivenFile } from '../../../src/store/new-attachments.js';

function taken(updates: readonly object[], replyLimitBytes = 1_000) {
  const events: AgentEvent[] = [];
  const files: (GivenFile & { readonly content: string })[] = [];
  const turn = new TurnUpdates(replyLimitBytes, (event) => events.push(event), {
    add: (file, content) =>
      files.push({ ...file, content: String([...(content() as Iterable<Uint8Array>)]) }),
  });
  for (const update of updates) turn.take(update);
  return { turn, events, files };
}

const says = (text: string, more: object = {}) => ({
  sessionUpdate: 'agent_message_chunk',
  content: { type: 'text', text },
  ...more,
});
const tool = (title: string, more: object = {}) => ({
  sessionUpdate: 'tool_call',
  toolCallId: title,
  title,
  kind: 'read',
  ...more,
});

describe('the text of a turn', () => {
  test('is all that the agent says, thoughts and the rest left out', () => {
    const { turn, events } = taken([
      says('a'),
      { sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'no' } },
      { sessionUpdate: 'user_message_chunk', content: { type: 'text', text: 'no' } },
      { sessionUpdate: 'of a later version', content: { type: 'text', text: 'no' } },
      says('b'),
      says('\0'),
    ]);
    expect(turn.text).toBe('ab\ufffd');
    expect(events.map(({ type }) => type)).toEqual(['delta', 'delta', 'delta']);
    expect(turn.acted).toBe(false);
  });

  test.each<[what: string, updates: readonly object[], text: string]>([
    ['a tool call', [says('Look.'), tool('x'), says('Done.')], 'Look.\n\nDone.'],
    ['another message', [says('Look.', { messageId: 1 }), says('Done.', { messageId: 2 })], 'Look.\n\nDone.'],
    [
      'a message without an id',
      [says('Done.', { messageId: 1 }), says('Warning'), says(': x'), says('More.', { messageId: 1 })],
      'Done.\n\nWarning: x\n\nMore.',
    ],
    ['the same message', [says('Lo', { messageId: 1 }), says('ok', { messageId: 1 })], 'Look'],
    ['a break that is there', [says('Look.\n'), tool('x'), says('Done.')], 'Look.\nDone.'],
    ['nothing before', [tool('x'), says('Done.')], 'Done.'],
  ])('has paragraphs apart by %s', (_, updates, text) => {
    expect(taken(updates).turn.text).toBe(text);
  });

  test('names what is no text', () => {
    const image = { type: 'image', mimeType: 'image/png' };
    const link = { type: 'resource_link', uri: 'file:///a' };
    expect(
      taken([
        { ...says(''), content: image },
        { ...says(''), content: link },
      ]).turn.text,
    ).toBe('[image image/png]file:///a');
  });

  test('has the files beside it that the agent gives', () => {
    const blocks = [
      { type: 'image', mimeType: 'image/svg+xml', data: 'YQ==' },
      { type: 'audio', mimeType: 'audio/wav', data: 'Yg==', uri: 'file:///tmp/b.wav' },
      { type: 'resource', resource: { uri: 'file:///c.txt', text: 'c' } },
      { type: 'resource', resource: { uri: 'file:///d.bin', mimeType: 'application/x-d', blob: 'ZA==' } },
      { type: 'resource', resource: { uri: 'file:///e' } },
    ];
    const { turn, files, events } = taken(blocks.map((content) => ({ ...says(''), content })));
    expect(files).toMatchObject([
      { name: 'image.svg', mediaType: 'image/svg+xml', content: 'a' },
      { name: 'file:///tmp/b.wav', mediaType: 'audio/wav', content: 'b' },
      { name: 'file:///c.txt', mediaType: 'text/plain', content: 'c' },
      { name: 'file:///d.bin', mediaType: 'application/x-d', content: 'd' },
    ]);
    expect(turn).toMatchObject({ text: '', acted: true });
    expect(events).toEqual([]);
  });

  test('has a limit', () => {
    expect(taken([says('ää')], 4).turn.text).toBe('ää');
    expect(() => taken([says('ää'), says('b')], 4)).toThrow(/larger than 4 bytes \(agent.reply_limit\)/);
  });
});

describe('the status of a turn', () => {
  const status = (updates: readonly object[]) =>
    taken(updates).events.map((event) => (event.type === 'status' ? event.text : event.type));

  test('is the tool that begins, or the step of the plan', () => {
    expect(
      status([
        tool('Read\n\u001b[31ma.txt'),
        { sessionUpdate: 'tool_call_update', toolCallId: 'Read\n\u001b[31ma.txt', status: 'completed' },
        { sessionUpdate: 'plan', entries: [{ content: 'a' }, { content: 'b', status: 'in_progress' }] },
      ]),
    ).toEqual(['Read a.txt', 'b (step 2 of 2)']);
  });

  test('bears what is missing or of another form', () => {
    const forms = [
      { sessionUpdate: 'tool_call' },
      { sessionUpdate: 'tool_call', toolCallId: 7 },
      { sessionUpdate: 'tool_call', toolCallId: 'x', title: 7, kind: {} },
      { sessionUpdate: 'plan' },
      { sessionUpdate: 'plan', entries: [null, 7] },
      { sessionUpdate: 'agent_message_chunk' },
      { sessionUpdate: 'agent_message_chunk', content: 7 },
      { sessionUpdate: 'agent_message_chunk', content: { type: 'text' } },
      {},
    ];
    expect(status(forms)).toEqual(['a tool without a name']);
    const { turn } = taken([]);
    for (const form of [null, undefined, 7, 'x', []]) turn.take(form);
    expect(turn.text).toBe('');
  });
});

test('tokens are counted where the agent counts them', () => {
  expect(usageOf({ usage: { inputTokens: 1, outputTokens: 2 } })).toEqual({
    type: 'usage',
    usage: { inputTokens: 1, outputTokens: 2 },
  });
  const noCounts = [1.5, -3, Number.POSITIVE_INFINITY, 2 ** 53, '1', null].map((inputTokens) => ({
    usage: { inputTokens, outputTokens: 2 },
  }));
  for (const answer of [{}, null, { usage: { inputTokens: 1 } }, { usage: 7 }, ...noCounts]) {
    expect(usageOf(answer), JSON.stringify(answer)).toBeNull();
  }
});

describe('an answer to a request for permission', () => {
  const option = (kind: string, optionId: unknown = kind) => ({ kind, optionId, name: kind });
  const all = ['allow_always', 'allow_once', 'reject_always', 'reject_once'].map((kind) => option(kind));

  test.each<[policy: 'allow' | 'deny', options: unknown, outcome: object]>([
    ['allow', all, { outcome: 'selected', optionId: 'allow_once' }],
    ['deny', all, { outcome: 'selected', optionId: 'reject_once' }],
    ['allow', [option('allow_always', 'proceed')], { outcome: 'selected', optionId: 'proceed' }],
    ['allow', [option('allow_once', 'a'), option('allow_once', 'b')], { outcome: 'selected', optionId: 'a' }],
    ['deny', [option('allow_once')], { outcome: 'cancelled' }],
    [
      'deny',
      [option('reject_once', 7), option('reject_always')],
      { outcome: 'selected', optionId: 'reject_always' },
    ],
    ['deny', undefined, { outcome: 'cancelled' }],
    ['allow', [null, 7], { outcome: 'cancelled' }],
  ])('%s', (policy, options, outcome) => {
    expect(permissionAnswer(policy, options)).toEqual({ outcome });
  });

  test('goes by the kind of the tool, and an unknown kind is "other"', () => {
    const settings = { allow: ['read', 'other', 'edit'], ask: ['edit'] };
    const kinds = ['read', 'execute', 'teleport', 'edit'];
    expect(kinds.map((kind) => permissionPolicy(kind, settings))).toEqual(['allow', 'deny', 'allow', 'ask']);
  });
});

describe('a tool call', () => {
  const longInput = { path: '/tmp/x', content: 'y'.repeat(100_000) };
  const call = {
    toolCallId: 'a',
    kind: 'edit',
    title: `write ${'z'.repeat(100_000)}`,
    rawInput: longInput,
  };

  test('is remembered with its title in one line, and with the beginning and a digest of long arguments', () => {
    const { turn } = taken([
      tool('x', { rawInput: { path: '/y' } }),
      { sessionUpdate: 'tool_call', ...call },
    ]);
    expect(turn.toolCall('x')).toEqual({ kind: 'read', title: 'x', input: '{"path":"/y"}' });
    const { title, input = '' } = turn.toolCall('a') ?? {};
    expect(title).toHaveLength(200);
    expect(input.length).toBeLessThan(20_000);
    expect(JSON.parse(input)).toMatch(
      /^\{"path":"\/tmp\/x","content":"y+… \(100030 characters, SHA-256 [\da-f]{64}\)$/,
    );
  });

  test('with other arguments has another digest', () => {
    const other = { ...call, rawInput: { ...longInput, content: `${longInput.content}z` } };
    expect(toolCallFacts(other, undefined).input).not.toBe(toolCallFacts(call, undefined).input);
  });

  test('with an id of megabytes is not remembered', () => {
    const { turn } = taken([{ sessionUpdate: 'tool_call', ...call, toolCallId: 'i'.repeat(100_000) }]);
    expect(turn.toolCall('i'.repeat(100_000))).toBeUndefined();
    expect(turn.acted).toBe(true);
  });

  test('offers few options, with short ids', () => {
    const option = (optionId: string) => ({ optionId, name: 'n'.repeat(100_000), kind: 'allow_once' });
    const many = Array.from({ length: 1_000 }, (_, at) => option(`o${at}`));
    const options = questionOptions([option('i'.repeat(100_000)), ...many]);
    expect(options).toHaveLength(49);
    expect(options[0]).toMatchObject({ id: 'o0', name: expect.stringMatching(/^n{199}…$/) });
  });
});

describe('the reply of a turn', () => {
  const end = { stopReason: 'end_turn', text: 'hi', acted: false, denied: [], hasContext: false };
  const denied = [{ kind: 'execute', title: 'rm -r /', input: undefined }];

  test('has on record what is not as usual', () => {
    expect(turnReply(end)).toEqual({ text: 'hi', metadata: {} });
    expect(turnReply({ ...end, stopReason: 'max_tokens', hasContext: true, denied })).toEqual({
      text: 'hi',
      metadata: {
        acp: {
          stop_reason: 'max_tokens',
          context: 'history',
          denied: [{ kind: 'execute', title: 'rm -r /' }],
        },
      },
    });
    expect(turnReply({ ...end, text: '', acted: true }).text).toBe('');
    expect(turnReply({ ...end, text: '', denied, stopReason: 'cancelled' }).text).toBe(
      '(The agent ended its turn, as it may not use a tool: rm -r /)',
    );
  });

  test.each<[what: string, end: Partial<typeof end>, message: RegExp]>([
    ['nothing at all', { text: '' }, /without a word/],
    ['a refusal', { text: '', stopReason: 'refusal' }, /refused/],
    ['a cancel of its own', { stopReason: 'cancelled' }, /nobody here did/],
  ])('is none after %s', (_, change, message) => {
    expect(() => turnReply({ ...end, ...change })).toThrow(message);
  });
});

test('a lost conversation is told, the latest of it if it is long', () => {
  const turn = (text: string): EarlierTurn => ({
    messageId: text,
    seq: 1,
    text,
    sender: null,
    acceptedAt: 0,
    reply: { text: `re: ${text}`, metadata: {} },
  });
  expect(conversationText([])).toBeNull();
  expect(conversationText([turn('one'), turn('two')])).toMatch(
    /Person: one\n\nYou: re: one\n\nPerson: two\n\nYou: re: two$/,
  );
  const long = conversationText([turn('old'), turn('x'.repeat(99_900))]);
  expect(long).not.toContain('old');
  expect(long).toContain('xxx');
});
