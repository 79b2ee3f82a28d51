import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonFor, printable, reportLine, shellWord, textFor } from '../../src/cli/terminal.js';
import { Place } from './foreground.js';
import { gateway, now, run, unit } from './operate/samples.js';

const terminal = { isTTY: true } as NodeJS.WriteStream;
const pipe = { isTTY: false } as NodeJS.WriteStream;
const hostile = 'a\u001b]0;taken over\u0007\n\tb\u009b2J\r\u007f ü';

describe('text from elsewhere', () => {
  it('steers no terminal', () => {
    expect(textFor(hostile, terminal)).toBe('a\\x1b]0;taken over\\x07\n\tb\\x9b2J\\x0d\\x7f ü');
    expect(printable(hostile)).toBe(textFor(hostile, terminal));
  });

  it('is not shown in another order', () => {
    const turned = 'a\u202eb\u2066c\u2069';
    expect(printable(turned)).toBe('a\\u202eb\\u2066c\\u2069');
    expect(jsonFor(JSON.stringify(turned), terminal)).toBe('"a\\u202eb\\u2066c\\u2069"');
  });

  it('goes through a pipe as it is', () => {
    expect(textFor(hostile, pipe)).toBe(hostile);
    expect(jsonFor(JSON.stringify(hostile), pipe)).toBe(JSON.stringify(hostile));
  });

  it('as JSON is the same value, and steers no terminal', () => {
    const shown = jsonFor(JSON.stringify({ hostile }), terminal);
    expect(shown).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(shown)).toEqual({ hostile });
  });
});

it.each(['/etc/plain.toml', '', '/srv/my conf.toml', "it's", '$HOME `id` "x" \\ \n*', '~', '#', 'ä'])(
  'a shell reads %j as one word',
  (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word);
  },
);

it('leaves a plain word plain', () => {
  expect(shellWord('/etc/sd-gateway/sd-gateway.toml')).toBe('/etc/sd-gateway/sd-gateway.toml');
});

const parsed = (value: object) => JSON.parse(reportLine(value)) as Record<string, unknown>;

describe('a report as JSON', () => {
  it('has a version, snake_case, times of RFC 3339, and units in names', () => {
    const report = parsed({
      verdict: 'running',
      at: now,
      unit: unit({ restartDelay: 2_000, startLimit: { burst: 5, interval: 10_000 } }),
      gateway: gateway(),
      lastStop: run().stop,
    });
    expect(Object.keys(report)[0]).toBe('version');
    expect(report).toMatchObject({
      version: 1,
      at: '2026-11-23T17:00:00.000Z',
      unit: {
        active_state: 'active',
        since: '2026-11-23T16:52:57.000Z',
        restart_delay_ms: 2_000,
        start_timeout_ms: 90_000,
        start_limit: { burst: 5, interval_ms: 10_000 },
        watchdog: { timeout_ms: 30_000, last_ping: '2026-11-23T16:59:55.000Z' },
        memory_bytes: { current: 70_373_376, peak: null },
      },
      gateway: {
        started_at: '2026-11-23T16:52:56.500Z',
        watchdog: { timeout_microseconds: 30_000_000, since_last_ping_ms: 5_000 },
        event_loop_delay_ms: { mean: 1.25 },
        resident_memory_bytes: 80_000_000,
        runs: [{}, { stop: { drain_microseconds: 12_000 } }],
      },
      last_stop: { exit_status: 0, put_back_turns: 2 },
    });
    expect(JSON.stringify(report)).not.toMatch(/"[a-z_]*[A-Z]\w*":/);
  });

  it('leaves values, and numbers that are no times, alone', () => {
    const report = parsed({ exit: { how: 'exited', at: null }, list: ['dropIn', { pendingFor: 3 }], seq: 7 });
    expect(report).toEqual({
      version: 1,
      exit: { how: 'exited', at: null },
      list: ['dropIn', { pending_for_ms: 3 }],
      seq: 7,
    });
  });
});

describe('with --json, a command that fails', () => {
  let place: Place;
  beforeAll(() => {
    place = new Place();
  });
  afterAll(() => {
    place.remove();
  });

  it.each([
    [['sessions', '--json'], 69, /no token/],
    [['send', '-o', 'json', 'x'], 69, /no token/],
    [['status', '--json', '--frob'], 64, /unknown option "--frob"/],
    [['store', 'check', '--json', '--config', '/nonexistent.toml'], 78, /nonexistent/],
  ])('%j prints one object with the reason', async (words, status, reason) => {
    const ended = await place.run(words);
    expect(ended.status).toBe(status);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      version: 1,
      error: { exit_status: status, message: expect.stringMatching(reason) },
    });
    expect(ended.stderr).toMatch(reason);
  });
});
