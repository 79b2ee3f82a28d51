import { expect, test } from 'vitest';
import { countedIntake, countedReception } from '../../../src/gateway/metrics/counted.js';
import { GatewayMetrics } from '../../../src/gateway/metrics/gateway-metrics.js';
import type { ScrapedGateway } from '../../../src/gateway/metrics/gauges.js';
import { processFigures } from '../../../src/gateway/metrics/process-figures.js';
import { Scraper, type ScraperOptions } from '../../../src/gateway/metrics/scraper.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { AcceptOutcome } from '../../../src/store/turns.js';
import { newMessage, noLimits } from '../../store/samples.js';

const counts = {
  sessions: 2,
  queued: 3,
  running: 1,
  replied: 0,
  delivered: 4,
  dead: 0,
  cancelled: 0,
  collected: 0,
  undelivered: 5,
};
const figures = {
  commits: 2,
  operations: 6,
  commitTime: { boundsMs: [1], counts: [1, 1], sumMs: 3 },
  longestWaitMs: 1_500,
};
const gateway: ReturnType<ScraperOptions['gateway']> = {
  version: '1.2.3',
  node: 'v20',
  state: 'ready',
  ready: true,
  stalledParts: 0,
  reloadRefused: false,
  restartNeeded: true,
  putBackBefore: 7,
  resumed: 8,
  runtime: {
    takesMessages: true,
    circuits: [{}],
    agents: [
      {
        name: 'default',
        type: 'echo',
        state: 'held',
        reason: null,
        since: null,
        failures: 1,
        nextAttemptAt: null,
      },
    ],
    channels: [
      { name: 'irc', required: false, state: 'up', since: 1, reason: null, provenAt: 1_700_000_000_500 },
      { name: 'mail', required: false, state: 'down', since: 1, reason: 'away' },
    ],
    connections: { open: 9, bound: 10, withoutToken: 0, withoutTokenBound: 1, reached: false },
  },
  work: { running: 1, sending: 2, deadTurns: 3, deadDeliveries: 4 },
  process: processFigures(1_024),
} satisfies Omit<ScrapedGateway, 'counts' | 'figures' | 'delay' | 'sentAt'>;

function scraper(options: Partial<ScraperOptions> = {}) {
  const metrics = new GatewayMetrics();
  metrics.names = () => ({ agents: ['default'], channels: ['irc', 'mail'] });
  const store = { counts: async () => counts, statistics: async () => figures };
  return {
    metrics,
    scraper: new Scraper({ metrics, store: () => store, gateway: () => gateway, ...options }),
  };
}

/** The series of a text, by name and labels. */
function seriesOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]),
  );
}

test('a scrape has the counts of the store, the channels and the process', async () => {
  const { scraper: scrapes } = scraper();
  const first = seriesOf(await scrapes.text());
  const series = seriesOf(await scrapes.text());
  scrapes.close();
  const expected = {
    'sd_gateway_build_info{version="1.2.3",node="v20"}': '1',
    'sd_gateway_state{state="ready"}': '1',
    'sd_gateway_state{state="stopping"}': '0',
    'sd_gateway_messages{state="queued"}': '3',
    sd_gateway_queue_oldest_age_seconds: '1.5',
    sd_gateway_deliveries_pending: '5',
    sd_gateway_store_up: '1',
    'sd_gateway_store_commit_duration_seconds_bucket{le="0.001"}': '1',
    sd_gateway_store_commit_duration_seconds_count: '2',
    'sd_gateway_channel_up{channel="irc"}': '1',
    'sd_gateway_channel_up{channel="mail"}': '0',
    'sd_gateway_channel_last_round_trip_timestamp_seconds{channel="irc"}': '1700000000.5',
    'sd_gateway_agent_held{agent="default"}': '1',
    'sd_gateway_messages_dead_total{by="turn"}': '3',
    sd_gateway_previous_run_put_back_turns: '7',
    process_resident_memory_bytes: '1024',
    'sd_gateway_messages_accepted_total{channel="irc"}': '0',
    'sd_gateway_turn_duration_seconds_count{agent="default",outcome="replied"}': '0',
  };
  expect(Object.fromEntries(series)).toMatchObject(expected);
  expect(series.has('sd_gateway_channel_last_round_trip_timestamp_seconds{channel="mail"}')).toBe(false);
  // Nobody measures it for a gateway that is not scraped.
  expect(first.has('sd_gateway_event_loop_delay_max_seconds')).toBe(false);
  expect(series.has('sd_gateway_event_loop_delay_max_seconds')).toBe(true);
});

test('a store that hangs is asked once, and its series are missing', async () => {
  let asked = 0;
  const never = () => {
    asked += 1;
    return new Promise<never>(() => undefined);
  };
  const { scraper: scrapes } = scraper({
    store: () => ({ counts: never, statistics: async () => figures }),
    storeTimeoutMs: 10,
  });
  await scrapes.text();
  const series = seriesOf(await scrapes.text());
  scrapes.close();
  expect(asked).toBe(1);
  expect(series.get('sd_gateway_store_up')).toBe('0');
  expect(series.has('sd_gateway_messages{state="queued"}')).toBe(false);
  expect(series.get('sd_gateway_ready')).toBe('1');
});

test('a store that fails, and one that does not measure itself, leave their series out', async () => {
  const failing = scraper({
    store: () => ({ counts: async () => Promise.reject(new StoreError('closed', 'It is closed.')) }),
  }).scraper;
  const series = seriesOf(await failing.text());
  failing.close();
  expect(series.get('sd_gateway_store_up')).toBe('0');
  expect(series.has('sd_gateway_store_operations_total')).toBe(false);
});

test('scrapes that come together are one', async () => {
  let asked = 0;
  const { scraper: scrapes } = scraper({
    store: () => ({
      counts: async () => {
        asked += 1;
        return counts;
      },
    }),
  });
  const [first, second] = await Promise.all([scrapes.text(), scrapes.text()]);
  scrapes.close();
  expect(first).toBe(second);
  expect(asked).toBe(1);
});

test('messages are counted by channel and outcome, and their names have a bound', async () => {
  const { metrics, scraper: scrapes } = scraper();
  const outcomes: (AcceptOutcome | Error)[] = [
    { outcome: 'full', limit: 'session', waiting: 1 },
    { outcome: 'conflict', messageId: 'x' },
    new StoreError('full', 'The disk is full.'),
    new StoreError('unavailable', 'The disk is away.'),
  ];
  const accept = async () => {
    const outcome = outcomes.shift();
    if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error('No outcome is left.');
    return outcome;
  };
  const intake = countedIntake(
    { accept, acceptAll: async (messages) => messages.map(() => ({ outcome: 'set-aside' as const })) },
    metrics,
  );
  await intake.accept(newMessage('a', { channel: 'http' }), noLimits);
  await intake.accept(newMessage('a', { channel: 'http' }), noLimits);
  await expect(intake.accept(newMessage('a', { channel: 'irc' }), noLimits)).rejects.toThrow('full');
  await expect(intake.accept(newMessage('a', { channel: 'gone' }), noLimits)).rejects.toThrow('away');
  await intake.acceptAll([newMessage('a', { channel: 'mail' })], noLimits, null);
  const reception = countedReception(
    { receive: async () => [{ outcome: 'not-allowed' }, { outcome: 'ignored' }], keeps: async () => true },
    'irc',
    metrics,
  );
  await reception.receive([]);
  const series = seriesOf(await scrapes.text());
  scrapes.close();
  const refused = [...series].filter(([name]) => name.startsWith('sd_gateway_messages_refused_total'));
  expect(Object.fromEntries(refused)).toEqual({
    'sd_gateway_messages_refused_total{channel="http",reason="session_queue"}': '1',
    'sd_gateway_messages_refused_total{channel="http",reason="conflict"}': '1',
    'sd_gateway_messages_refused_total{channel="irc",reason="store_full"}': '1',
    'sd_gateway_messages_refused_total{channel="other",reason="store_unavailable"}': '1',
    'sd_gateway_messages_refused_total{channel="mail",reason="set_aside"}': '1',
    'sd_gateway_messages_refused_total{channel="irc",reason="not_allowed"}': '1',
  });
});

test('deliveries are counted by the class of their target', async () => {
  const { metrics, scraper: scrapes } = scraper();
  const target = { channel: 'irc', address: '#secret', options: {} };
  const settings = { general: 'ask' as const, at: 1_800_000_000_000 };
  metrics.deliveryEnded(
    { target, idempotent: false, unknownPolicy: null },
    { outcome: 'dead', unknown: true },
    settings,
  );
  metrics.deliveryEnded(
    { target: { ...target, channel: 'webhook' }, idempotent: true, unknownPolicy: null },
    { outcome: 'failed', unknown: false },
    settings,
  );
  metrics.deliveryEnded(
    { target, idempotent: false, unknownPolicy: 'drop' },
    { outcome: 'delivered', unknown: false },
    settings,
  );
  metrics.deliveryEnded(
    { target: { ...target, channel: 'mail' }, idempotent: false, unknownPolicy: 'resend' },
    { outcome: 'delivered', unknown: false },
    settings,
  );
  const text = await scrapes.text();
  scrapes.close();
  expect(Object.fromEntries(seriesOf(text))).toMatchObject({
    'sd_gateway_delivery_attempts_total{channel="irc",class="ask",outcome="dead"}': '1',
    'sd_gateway_delivery_attempts_total{channel="webhook",class="idempotent",outcome="failed"}': '1',
    'sd_gateway_delivery_attempts_total{channel="mail",class="resend",outcome="delivered"}': '1',
    'sd_gateway_deliveries_unknown_total{channel="irc",class="ask"}': '1',
    'sd_gateway_channel_last_round_trip_timestamp_seconds{channel="irc"}': '1800000000',
  });
  expect(text).not.toContain('#secret');
});
