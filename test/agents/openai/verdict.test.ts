import { describe, expect, it } from 'vitest';
import { AgentError } from '../../../src/agents/agent.js';
import {
  BrokenAnswer,
  retryAfterMs,
  retryDelayMs,
  ServerAway,
  serverError,
  statusError,
  turnFailure,
} from '../../../src/agents/openai/verdict.js';

const now = Date.parse('Mon, 30 Nov 2026 12:00:00 GMT');

describe('an answer that is no success', () => {
  it.each([
    [429, 'ServerAway', ''],
    [502, 'ServerAway', ''],
    [503, 'ServerAway', ''],
    [408, 'BrokenAnswer', ''],
    [409, 'BrokenAnswer', ''],
    [500, 'BrokenAnswer', ''],
    [504, 'BrokenAnswer', ''],
    [301, 'unavailable', 'agent.base_url must be the final one'],
    [401, 'unavailable', 'check the key'],
    [403, 'unavailable', 'check what the key may do'],
    [404, 'unavailable', 'check agent.model'],
    [400, 'failed', 'lower agent.history_bytes'],
    [413, 'failed', 'lower agent.history_bytes'],
    [418, 'failed', ''],
    [422, 'failed', 'check agent.parameters'],
  ])('HTTP %i: %s', (status, kind, text) => {
    const error = statusError(status, {}, '{"error":{"message":"No  such\\nthing"}}', now);
    expect(error instanceof AgentError ? error.reason : error.name).toBe(kind);
    if (error instanceof AgentError) expect(error.retry).toBe(false);
    expect(error.message).toContain(`answered HTTP ${status}: No such thing`);
    expect(error.message).toContain(text);
  });

  it.each([
    ['{"message":"a"}', ': a'],
    ['{"error":"a"}', ': a'],
    ['{"detail":"a"}', ': a'],
    ['plain words', ': plain words'],
    ['<!doctype html><p>words', ''],
    ['', ''],
    ['null', ': null'],
    ['"x"', ': "x"'],
    ['{"a":1}', ': {"a":1}'],
    [`{"message":"${'a'.repeat(400)}"}`, `: ${'a'.repeat(300)}…`],
  ])('says what %j says', (body, said) => {
    expect(statusError(500, {}, body, now).message).toBe(`the model’s server answered HTTP 500${said}`);
  });
});

describe('an error within an answer', () => {
  it.each([
    [{ message: 'a' }, 'BrokenAnswer'],
    [{ message: 'a', code: 'server_error' }, 'BrokenAnswer'],
    [{ message: 'a', code: 429 }, 'BrokenAnswer'],
    [{ message: 'a', code: 500 }, 'BrokenAnswer'],
    [{ message: 'a', code: 400 }, 'failed'],
    ['a', 'BrokenAnswer'],
  ])('%j: %s', (value, kind) => {
    const error = serverError(value);
    expect(error instanceof AgentError ? error.reason : error.name).toBe(kind);
    expect(error.message).toContain('reported an error: a');
  });
});

describe('Retry-After', () => {
  it.each([
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after-ms': '30', 'retry-after': '9' }, 30],
    [{ 'retry-after': 'Mon, 30 Nov 2026 12:00:10 GMT' }, 10_000],
    [{ 'retry-after': 'Mon, 30 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': '999999999' }, 3_600_000],
    [{ 'retry-after': '-5' }, null],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '1e9' }, null],
    [{}, null],
  ])('%j: %s ms', (headers, expected) => {
    expect(retryAfterMs(headers, now)).toBe(expected);
  });
});

describe('the next try', () => {
  const times = { firstDelayMs: 500, leftMs: 60_000, random: () => 0.8 };
  it.each([
    [1, null, times, 600],
    [2, null, times, 1_200],
    [3, null, times, null],
    [1, 20_000, times, 20_000],
    [1, 0, times, 100],
    [1, 20_001, times, null],
    [1, 3_000, { ...times, leftMs: 2_999 }, null],
    [1, null, { ...times, leftMs: 500 }, null],
  ])('after %i that failed, asked for %s ms', (tries, asked, limits, expected) => {
    expect(retryDelayMs(tries, new BrokenAnswer('broke', asked), limits)).toBe(expected);
  });

  it.each([
    [1, null, 600],
    [1, 2_000, 2_000],
    [1, 2_001, null],
  ])('after %i at a server that is away, asked for %s ms', (tries, asked, expected) => {
    expect(retryDelayMs(tries, new ServerAway('away', asked), times)).toBe(expected);
  });
});

describe('the end of a turn whose tries have failed', () => {
  it.each([
    [[new ServerAway('away')], 'unavailable', 'away'],
    [[new ServerAway('away'), new ServerAway('still away')], 'unavailable', 'still away (2 tries)'],
    [[new BrokenAnswer('broke')], 'failed', 'broke'],
    // The request itself may have ended the server.
    [[new BrokenAnswer('broke'), new ServerAway('away')], 'failed', 'broke (2 tries)'],
  ])('%#', (failures, reason, message) => {
    expect(turnFailure(failures)).toMatchObject({ reason, message, retry: true, retryAfterMs: null });
  });

  it('has the wait that the server asked for last', () => {
    const failures = [new ServerAway('away', 1_000), new ServerAway('away', 60_000)];
    expect(turnFailure(failures)).toMatchObject({ reason: 'unavailable', retryAfterMs: 60_000 });
  });
});
