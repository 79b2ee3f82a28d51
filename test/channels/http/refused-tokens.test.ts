import { afterEach, expect, test, vi } from 'vitest';
import { RefusedTokens, refusedTokensIntervalMs } from '../../../src/channels/http/refused-tokens.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { serve } from './http-fixture.js';

afterEach(() => {
  vi.useRealTimers();
});

test('requests with a wrong token leave one record, those without a token none', async () => {
  const served = await serve();
  for (const headers of [
    { authorization: 'Bearer wrong' },
    { authorization: 'Basic eDp5' },
    { authorization: '' },
  ]) {
    expect((await served.get('/v1/sessions', headers)).status).toBe(401);
  }
  await served.get('/v1/sessions');
  await served.dispose();
  expect(served.records).toEqual([
    'Refused a token: A request came with a wrong one, the last from 127.0.0.1. "sd-gateway token show" shows the right one.',
  ]);
  const { base, dispose, records } = await serve();
  expect((await fetch(`${base}/v1/sessions`)).status).toBe(401);
  await dispose();
  expect(records).toEqual([]);
});

test('a minute later one record counts those that came meanwhile, as long as there are any', () => {
  vi.useFakeTimers();
  const log = new RecordingLog();
  const refused = new RefusedTokens(log);
  for (let count = 0; count < 1_000; count += 1) refused.note('192.0.2.1');
  vi.advanceTimersByTime(refusedTokensIntervalMs);
  vi.advanceTimersByTime(refusedTokensIntervalMs);
  refused.note(null);
  refused.close();
  expect(log.records.map(({ message }) => message.replace(/\. .*/, ''))).toEqual([
    'Refused a token: A request came with a wrong one, the last from 192.0.2.1',
    'Refused a token: 999 requests came with a wrong one, the last from 192.0.2.1',
    'Refused a token: A request came with a wrong one, the last from a Unix socket',
  ]);
});
