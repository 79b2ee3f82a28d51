import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Place } from '../../cli/foreground.js';
import { hasPrometheus, Prometheus, promtool } from '../../support/prometheus.js';

const examples = fileURLToPath(new URL('../../../examples/prometheus/', import.meta.url));
const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
const rules = join(examples, 'sd-gateway.rules.yml');

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

const dashboard: { readonly panels: readonly Panel[] } = JSON.parse(
  readFileSync(join(examples, 'sd-gateway.dashboard.json'), 'utf8'),
);
const expressions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

/** Names of the gateway's metrics in a text. */
function namesIn(text: string): ReadonlySet<string> {
  const names = text.match(/\b(?:sd_gateway|process)_[a-z0-9_]+/g) ?? [];
  return new Set(names.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')));
}

describe.skipIf(!hasPrometheus)('a real Prometheus', () => {
  let place: Place;
  let prometheus: Prometheus;
  let base: string;
  let operator: string;
  let text: string;
  const receiver = createServer((incoming, response) => {
    incoming.resume();
    response.writeHead(incoming.url === '/refuse' ? 400 : 204).end();
  });

  const post = async (session: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${base}/v1/sessions/${session}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  beforeAll(async () => {
    place = new Place();
    mkdirSync(join(place.directory, 'etc'));
    const socket = join(place.directory, 'metrics.sock');
    writeFileSync(
      join(place.directory, 'etc/sd-gateway.toml'),
      `[metrics]\nsocket = ${JSON.stringify(socket)}\n[agents.bad]\ncommand = ["/bin/false"]\n[dispatch]\nmax_attempts = 1\n[[route]]\nprefix = "bad"\nagent = "bad"\n[delivery]\nallow = ["127.0.0.0/8"]\n`,
    );
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const gateway = await place.start({ SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:0' });
    base = /http:\/\/127\.0\.0\.1:\d+/.exec(gateway.said)?.[0] ?? '';
    operator = readFileSync(join(place.directory, 'state/token'), 'utf8').trim();
    const made = await fetch(`${base}/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operator}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'prometheus', scopes: ['metrics'] }),
    });
    const { token } = (await made.json()) as { readonly token: string };
    prometheus = await Prometheus.start({ address: new URL(base).host, token }, [rules]);

    const { port } = receiver.address() as AddressInfo;
    const url = (path: string) => ({ reply_to: { url: `http://127.0.0.1:${port}${path}` } });
    for (const key of ['first', 'first', 'second']) {
      await post('alice', { text: 'hello', ...url('/') }, { 'idempotency-key': key });
    }
    await post('alice', { text: 'another' }, { 'idempotency-key': 'first' });
    await post('bob', { text: 'hello', ...url('/refuse') });
    await post('bad', { text: 'hello' });
    await post('bob', { tekst: 'hello' });
  }, 60_000);
  afterAll(async () => {
    await prometheus?.end();
    receiver.close();
    place?.remove();
  });

  const series = (expression: string) =>
    expect.poll(() => prometheus.value(expression), { timeout: 30_000, interval: 200 });

  test('scrapes the gateway with a token for the metrics alone', async () => {
    await expect
      .poll(() => prometheus.target(), { timeout: 30_000 })
      .toMatchObject({
        health: 'up',
        lastError: '',
      });
  }, 60_000);

  test.each([
    ['sd_gateway_messages_accepted_total{channel="http"}', 4],
    ['sd_gateway_messages_repeated_total{channel="http"}', 1],
    ['sd_gateway_messages_refused_total{channel="http", reason="conflict"}', 1],
    ['sd_gateway_http_problems_total{type="invalid-message"}', 1],
    ['sd_gateway_turn_duration_seconds_count{agent="default", outcome="replied"}', 3],
    ['sd_gateway_turn_duration_seconds_count{agent="bad", outcome="failed"}', 1],
    ['sd_gateway_messages_dead_total{by="turn"}', 1],
    ['sd_gateway_delivery_attempts_total{channel="webhook", class="idempotent", outcome="delivered"}', 2],
    ['sd_gateway_delivery_attempts_total{channel="webhook", class="idempotent", outcome="dead"}', 1],
    ['sd_gateway_messages{state="dead"}', 2],
    ['sd_gateway_messages{state="queued"}', 0],
    ['sd_gateway_sessions', 3],
    ['sd_gateway_ready', 1],
    ['sd_gateway_store_up', 1],
    ['sd_gateway_queue_oldest_age_seconds', 0],
    ['sd_gateway_state{state="ready"}', 1],
    ['histogram_quantile(0.5, sd_gateway_store_commit_duration_seconds_bucket) > bool 0', 1],
    ['sd_gateway_store_operations_total > bool 8', 1],
    ['process_resident_memory_bytes > bool 10000000', 1],
    ['abs(time() - process_start_time_seconds) < bool 3600', 1],
    ['sd_gateway_event_loop_delay_max_seconds < bool 60', 1],
  ])(
    '%s is %d',
    async (expression, value) => {
      await series(expression).toBe(value);
    },
    60_000,
  );

  test('evaluates the rules and the dashboard without an error', async () => {
    await expect.poll(() => prometheus.ruleErrors(), { timeout: 30_000 }).toEqual([]);
    for (const expression of expressions) {
      const filled = expression.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m');
      // Throws what Prometheus says against it.
      await prometheus.value(filled);
    }
  }, 60_000);

  test('finds nothing against the text, which the Unix socket gives as well', async () => {
    const answer = await fetch(`${base}/metrics`, { headers: { authorization: `Bearer ${operator}` } });
    text = await answer.text();
    expect(await promtool(['check', 'metrics'], text)).toEqual({ status: 0, text: '' });
    const local = await new Promise<string>((resolve, reject) => {
      request({ socketPath: join(place.directory, 'metrics.sock'), path: '/metrics' }, (response) =>
        resolve(textOf(response)),
      )
        .on('error', reject)
        .end();
    });
    expect(namesIn(local)).toEqual(namesIn(text));
  });

  test('has each metric of the page, the rules and the dashboard, and the page has all of them', () => {
    const shown = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? ''));
    // Nothing of the kind has happened to this gateway.
    const seldom = ['sd_gateway_deliveries_unknown_total', 'sd_gateway_channel_up'];
    seldom.push('sd_gateway_channel_last_round_trip_timestamp_seconds');
    const known = new Set([...shown, ...seldom]);
    const table = new Set([...page.matchAll(/^\| `([a-z0-9_]+)/gm)].map(([, name]) => name ?? ''));
    expect([...known].filter((name) => !table.has(name))).toEqual([]);
    expect([...table].filter((name) => !known.has(name) && /^(?:sd_gateway|process)_/.test(name))).toEqual(
      [],
    );
    const used = namesIn(readFileSync(rules, 'utf8') + expressions.join('\n'));
    expect([...used].filter((name) => !known.has(name))).toEqual([]);
  });
});

describe.skipIf(!hasPrometheus)('promtool', () => {
  test('takes the rules', async () => {
    expect(await promtool(['check', 'rules', rules])).toMatchObject({ status: 0 });
  });

  test('finds that each rule fires where it should, and none for a healthy gateway', async () => {
    const tests = join(examples, 'sd-gateway.rules.test.yml');
    const { status, text: said } = await promtool(['test', 'rules', tests]);
    expect({ status, said }).toMatchObject({ status: 0 });
    const all = [...readFileSync(rules, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const tested = readFileSync(tests, 'utf8');
    expect(all.filter((name) => !tested.includes(`alertname="${name}"`))).toEqual([]);
    expect(all.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  }, 60_000);
});
