import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { AgentQuestion } from '../../../src/agents/agent.js';
import { Questions } from '../../../src/gateway/questions/questions.js';
import type { Message } from '../../../src/store/messages.js';
import type { ExpectedRecord, NewRecord, StoredRecord } from '../../../src/store/records.js';
import type { Turn } from '../../../src/store/turns.js';
import { RecordingLog } from '../delivery/recording-log.js';

const question: AgentQuestion = {
  kind: 'execute',
  title: 'rm -r /tmp/x',
  input: { command: 'rm -r /tmp/x' },
  options: [
    { id: 'yes', name: 'Allow once', effect: 'allow' },
    { id: 'no', name: 'Reject', effect: 'deny' },
  ],
};

const turn = (attempt = 1) =>
  ({
    turnId: 'turn-1',
    messageId: 'm1',
    session: 'alice',
    attempt,
    agent: 'coder',
    metadata: {},
    sender: null,
    collected: [],
  }) as unknown as Turn;

/** Records in memory, and one message. */
class Records {
  readonly all = new Map<string, StoredRecord>();
  running: Pick<Message, 'state' | 'attempts'> = { state: 'running', attempts: 1 };
  #version = 0;

  async record(kind: string, key: string): Promise<StoredRecord | null> {
    return this.all.get(`${kind} ${key}`) ?? null;
  }
  async records(kind: string) {
    return { items: [...this.all.values()].filter((each) => each.kind === kind), next: null };
  }
  async putRecord({ kind, key, value, expiresInMs }: NewRecord, expected: ExpectedRecord = 'any') {
    const name = `${kind} ${key}`;
    const now = this.all.get(name) ?? null;
    if (expected !== 'any' && (now?.version ?? null) !== expected) {
      return { outcome: 'conflict', record: now } as const;
    }
    this.#version += 1;
    const expiresAt = typeof expiresInMs === 'number' ? Date.now() + expiresInMs : null;
    this.all.set(name, { kind, key, value, version: this.#version, expiresAt });
    return { outcome: 'written', version: this.#version } as const;
  }
  async deleteRecord(kind: string, key: string, expected?: number): Promise<boolean> {
    const name = `${kind} ${key}`;
    const now = this.all.get(name);
    if (now === undefined || (expected !== undefined && now.version !== expected)) return false;
    return this.all.delete(name);
  }
  async message(): Promise<Message | null> {
    return this.running as Message;
  }
}

function place(records = new Records(), timeoutMs = 60_000, owner = 'first') {
  const log = new RecordingLog();
  const changes: string[] = [];
  const questions = new Questions({
    store: records,
    log,
    owner,
    timeoutMs: () => timeoutMs,
    onAsked: (asked) => changes.push(`${asked.code} ${asked.state}`),
  });
  const code = async () => {
    while (true) {
      const { items } = await questions.list({ limit: 10, after: null });
      const open = items.find(({ state }) => state === 'open');
      if (open !== undefined) return open.code;
      await sleep(5);
    }
  };
  return { records, log, changes, questions, code };
}

const never = new AbortController().signal;

describe('a question', () => {
  test.each([
    ['allow', 'yes', 'allowed'],
    ['deny', 'no', 'denied'],
  ] as const)(
    'that is answered "%s" gives its option, and takes no second answer',
    async (effect, option, state) => {
      const { questions, code, log, changes } = place();
      const asked = questions.ask(turn(), question, never);
      const known = await code();
      expect(log.records[0]?.message).toContain(`"sd-gateway approve ${known}"`);
      expect(await questions.question(known.toLowerCase())).toMatchObject({
        state: 'open',
        session: 'alice',
        messageId: 'm1',
        agent: 'coder',
        kind: 'execute',
        title: 'rm -r /tmp/x',
        input: '{"command":"rm -r /tmp/x"}',
        inputIsCut: false,
        options: [
          { name: 'Allow once', effect: 'allow' },
          { name: 'Reject', effect: 'deny' },
        ],
      });
      expect(await questions.answer(known, effect)).toMatchObject({
        outcome: 'answered',
        question: { state },
      });
      expect(await asked).toBe(option);
      expect(await questions.answer(known, 'allow')).toMatchObject({
        outcome: 'too-late',
        question: { state },
      });
      expect(changes).toEqual([`${known} open`]);
    },
  );

  test('that nobody answers in time is a no', async () => {
    const { questions, records } = place(new Records(), 30);
    expect(await questions.ask(turn(), question, never)).toBeNull();
    const { items } = await questions.list({ limit: 10, after: null });
    expect(items).toMatchObject([{ state: 'timeout' }]);
    expect(await questions.answer(items[0]?.code ?? '', 'allow')).toMatchObject({ outcome: 'too-late' });
    expect([...records.all.keys()].some((key) => key.startsWith('question-answer'))).toBe(false);
  });

  test('has long arguments cut, with a mark', async () => {
    const { questions, code } = place();
    void questions.ask(turn(), { ...question, input: 'x'.repeat(10_000) }, never);
    const shown = await questions.question(await code());
    expect(shown?.inputIsCut).toBe(true);
    expect(shown?.input).toMatch(/^"x{3999}…$/);
  });

  test('has bounds for all that an agent says', async () => {
    const { questions, code } = place();
    const long = 'x'.repeat(100_000);
    const options = Array.from({ length: 100 }, () => ({ id: 'yes', name: long, effect: 'allow' as const }));
    void questions.ask(turn(), { kind: long, title: long, input: null, options }, never);
    const shown = await questions.question(await code());
    expect(shown?.kind).toHaveLength(101);
    expect(shown?.title).toHaveLength(501);
    expect(shown?.options).toHaveLength(50);
    expect(shown?.options[0]?.name).toHaveLength(501);
  });

  test('with an unknown code has no answer', async () => {
    const { questions } = place();
    expect(await questions.answer('ABCDEFGH', 'allow')).toBeNull();
    expect(await questions.question('ABCDEFGH')).toBeNull();
  });

  test('that only one of two answers may decide', async () => {
    const { questions, code } = place();
    const asked = questions.ask(turn(), question, never);
    const known = await code();
    const outcomes = await Promise.all([questions.answer(known, 'allow'), questions.answer(known, 'deny')]);
    expect(outcomes.map((each) => each?.outcome).toSorted()).toEqual(['answered', 'too-late']);
    expect(await asked).toBe(outcomes[0]?.outcome === 'answered' ? 'yes' : 'no');
  });
});

describe('a question of a turn that was cut off', () => {
  async function cutOff() {
    const first = place();
    const end = new AbortController();
    const asked = first.questions.ask(turn(), question, end.signal);
    const code = await first.code();
    end.abort();
    expect(await asked).toBeNull();
    expect(await first.questions.question(code)).toMatchObject({ state: 'expired' });
    first.records.running = { state: 'queued', attempts: 1 };
    return { code, records: first.records };
  }

  test('can be answered, and the answer counts for the same call once', async () => {
    const { code: known, records } = await cutOff();
    const { questions, code } = place(records);
    expect(await questions.answer(known, 'allow')).toMatchObject({ outcome: 'answered' });
    records.running = { state: 'running', attempts: 2 };
    expect(await questions.ask(turn(2), question, never)).toBe('yes');
    const again = questions.ask(turn(2), question, never);
    await questions.answer(await code(), 'deny');
    expect(await again).toBe('no');
  });

  test('has an answer for that call alone', async () => {
    const { code: known, records } = await cutOff();
    const { questions, code } = place(records);
    await questions.answer(known, 'allow');
    records.running = { state: 'running', attempts: 2 };
    const other = questions.ask(turn(2), { ...question, input: { command: 'rm -r /' } }, never);
    await questions.answer(await code(), 'deny');
    expect(await other).toBe('no');
  });

  test('takes no answer once its message has come to its end', async () => {
    const { code, records } = await cutOff();
    records.running = { state: 'cancelled', attempts: 1 };
    expect(await place(records).questions.answer(code, 'allow')).toMatchObject({ outcome: 'too-late' });
  });

  test('after a crash is shown as expired, also if that counts for no attempt', async () => {
    const { questions, code, records } = place();
    void questions.ask(turn(), question, never);
    const known = await code();
    await questions.expireEarlier();
    expect(await questions.question(known)).toMatchObject({ state: 'open' });
    await place(records, 60_000, 'second').questions.expireEarlier();
    expect(await questions.question(known)).toMatchObject({ state: 'expired' });
  });

  test('after a crash that counts is shown as expired, as another attempt runs', async () => {
    const { questions, code, records } = place();
    void questions.ask(turn(), question, never);
    const known = await code();
    records.running = { state: 'running', attempts: 2 };
    expect(await questions.question(known)).toMatchObject({ state: 'expired' });
  });
});
