import { describe, expect, it } from 'vitest';
import type { Found } from '../../../src/cli/operate/find.js';
import { type UnitState, unitState } from '../../../src/cli/operate/unit.js';
import { driftFacts, notesOf } from '../../../src/cli/status/gather.js';
import {
  formatAgo,
  formatSize,
  formatTime,
  lastStopOf,
  type StatusReport,
  type StatusVerdict,
  statusOf,
  verdictOf,
  wrap,
} from '../../../src/cli/status/report.js';
import { statusTable } from '../../../src/cli/status/status.js';
import { statusText } from '../../../src/cli/status/text.js';
import { ServiceManager } from '../../../src/manager/service-manager.js';
import { exited, failed, gateway, now, plain, run, shown, target, unit } from '../operate/samples.js';

function report(changes: Partial<StatusReport> = {}): StatusReport {
  return {
    verdict: 'running',
    scope: 'system',
    instance: null,
    at: now,
    unit: unit(),
    gateway: gateway(),
    gatewayTrouble: null,
    lastStop: lastStopOf(run(), 'gateway'),
    storeLog: { sizeBytes: 4_000_000, isLong: false, readers: [] },
    drift: null,
    errors: [],
    notes: [],
    ...changes,
  };
}

const show = (changes: Partial<StatusReport> = {}, width = 100) =>
  statusText(report(changes), plain(width), 'UTC');

describe('the verdict', () => {
  it.each<[string, Parameters<typeof verdictOf>, StatusVerdict, number]>([
    ['active', [unit(), true, true], 'running', 0],
    ['active, and not to be asked', [unit(), false, true], 'running', 0],
    ['reloading', [unit({ activeState: 'reloading' }), true, true], 'running', 0],
    ['failed', [failed(), false, true], 'failed', 1],
    [
      'auto-restart',
      [unit({ activeState: 'activating', subState: 'auto-restart' }), false, true],
      'failed',
      1,
    ],
    [
      'auto-restart of systemd 254',
      [unit({ activeState: 'activating', subState: 'auto-restart-queued' }), false, true],
      'failed',
      1,
    ],
    ['starting', [unit({ activeState: 'activating', subState: 'start' }), false, true], 'starting', 3],
    ['stopping', [unit({ activeState: 'deactivating' }), true, true], 'stopping', 3],
    ['inactive', [unit({ activeState: 'inactive' }), false, true], 'stopped', 3],
    ['inactive beside a foreground one', [unit({ activeState: 'inactive' }), true, true], 'foreground', 0],
    ['no unit, a foreground one', [null, true, true], 'foreground', 0],
    ['no unit', [null, false, true], 'not-installed', 4],
    ['nobody to ask', [null, false, false], 'unknown', 4],
    ['nobody to ask, a foreground one', [null, true, false], 'foreground', 0],
  ])('%s', (_name, given, verdict, status) => {
    expect(verdictOf(...given)).toBe(verdict);
    expect(statusOf(verdict)).toBe(status);
  });
});

describe('the screen', () => {
  it('shows no mean of the event loop above its maximum', () => {
    const shown = show({ gateway: gateway({ eventLoopDelay: { mean: 81.2, p99: 81.2, max: 81.2 } }) });
    expect(shown.replace(/\s+/g, ' ')).toContain('81.2 ms in the mean, 82 ms at most');
  });

  it('of a running gateway says all there is', () => {
    expect(show()).toBe(
      [
        '● sd-gateway.service: running',
        '       Unit: /etc/systemd/system/sd-gateway.service (system, enabled)',
        '      State: active (running) since Mon 2026-11-23 16:52:57 UTC, 7min 3s ago',
        '    Process: PID 147, UID 62592, sd-gateway 0.1.0, Node.js 22.1.0',
        ' Invocation: b1d599e96c8349858a32494571302be6',
        ' Supervised: by PID 1, unit sd-gateway.service',
        '     Status: Ready for 7min: 1 session, 0 running, 0 waiting, 1 answered, 0 failed',
        '       Work: 1 session, 0 running, 0 waiting, 1 answered, 0 to deliver, 0 failed',
        '  Listening: 127.0.0.1:8733',
        '   Watchdog: every 30s; last sign of life 5s ago; event loop delayed by 1.3 ms in the mean, 11 ms at',
        '             most',
        '     Memory: 67.1M (at most 512.0M)',
        '  Last stop: planned stop by systemd (PID 1, UID 0), restart job; Mon 2026-11-23 16:52:51 UTC, 7min',
        '             9s ago; drained in 12 ms; 2 turns put back; exit status 0',
        '',
      ].join('\n'),
    );
  });

  it('of one that could not be asked says what systemd knows, and why not more', () => {
    const text = show({ gateway: null, lastStop: null, notes: ['Note: this user may not ask.'] });
    expect(text).toContain('Process: PID 147\n');
    expect(text).toContain('Watchdog: every 30s; last sign of life 5s ago\n');
    const short = unit({ watchdog: { timeout: 500, lastPing: null } });
    expect(show({ unit: short, gateway: null })).toContain('Watchdog: every 500 ms; no sign of life yet\n');
    expect(text).toContain('\n\nNote: this user may not ask.\n');
  });

  it('names what hangs, what troubles it, and a refused configuration', () => {
    const text = show({
      gateway: gateway({
        parts: [{ name: 'store', pendingFor: 16_000, stalled: true }],
        trouble: 'the disk is full',
        reloadRefused: 'a:1:1: no such key',
        supervisionWarnings: ['the main process is sh'],
      }),
    });
    expect(text).toContain('no progress in: store for 16s; systemd is about to end it');
    expect(text).toContain('Trouble: the disk is full');
    expect(text).toContain('Reload: the newest configuration was refused: a:1:1: no such key');
    expect(text).toContain('             the main process is sh\n');
  });

  it('says when connections are at their bound, and nothing of them else', () => {
    const connections = {
      open: 824,
      bound: 824,
      withoutToken: 103,
      withoutTokenBound: 103,
      reached: true,
    };
    const text = show({ gateway: gateway({ connections }) });
    expect(text).toContain('Connections: 824 of at most 824, 103 without the token');
    expect(show({ gateway: gateway({ connections: { ...connections, reached: false } }) })).not.toContain(
      'Connections',
    );
    // One of an earlier version.
    const { connections: _, ...before } = gateway();
    expect(show({ gateway: before as never })).not.toContain('Connections');
  });

  it('names the hosts that replies wait for, and why', () => {
    const hosts = [
      { origin: 'https://down.example', state: 'open', failures: 5, until: now + 9_000 },
      { origin: 'https://back.example', state: 'half-open', failures: 7, until: null },
      { origin: 'https://busy.example', state: 'held', failures: 0, until: now + 60_000 },
    ];
    const text = show({ gateway: gateway({ waitingHosts: hosts }) }, 200);
    expect(text).toContain('Waiting for: https://down.example: 5 failures in a row, next try in 9 s\n');
    expect(text).toContain('https://back.example: 7 failures in a row, one is tried now\n');
    expect(text).toContain('https://busy.example: it asked for time (Retry-After), next try in 60 s\n');
  });

  it('names the channels, and says of each that is not up why and since when', () => {
    const channels = [
      { name: 'irc', required: false, state: 'up', since: now, reason: null },
      { name: 'team', required: false, isolated: true, state: 'up', since: now, reason: null },
      { name: 'bot', required: false, isolated: true, state: 'down', since: now, reason: 'it was killed' },
      { name: 'tg', required: true, state: 'down', since: now - 120_000, reason: 'no route to host' },
      { name: 'mail', required: false, state: 'starting', since: now, reason: null },
    ];
    const shown = show({ gateway: gateway({ channels }) }, 300);
    expect(shown).toMatch(/Channels:? +up: irc, team \(isolated\)/);
    expect(shown).toMatch(/"bot" \(isolated\) is down, for 0s by now: it was killed/);
    expect(shown).toMatch(/"tg" is down, for 2 ?min by now: no route to host/);
    expect(shown).toMatch(/"mail" is starting, for 0s by now/);
  });

  it('says why an agent is held, and when it is tried again', () => {
    const held = {
      name: 'default',
      type: 'command',
      state: 'held',
      reason: 'the command "gone" could not be started in /: ENOENT',
      since: now - 63_000,
      failures: 6,
      nextAttemptAt: now + 12_000,
    } as const;
    expect(show({ gateway: gateway({ agents: [held] }) }, 300)).toContain(
      'Agent: "default" can’t be started, and its messages wait, for 1min 3s by now; next try in 12 s: the command "gone" could not be started in /: ENOENT\n',
    );
    const { agents: _, ...before } = gateway();
    expect(show({ gateway: before as never })).not.toContain('Agent:');
  });

  it('of a failed one says how, with the errors of the journal and nothing stale', () => {
    const text = show({
      verdict: 'failed',
      unit: failed({ exit: exited(78), restarts: 3 }),
      gateway: null,
      errors: [{ at: now, priority: 3, identifier: 'sd-gateway', message: 'wrong\u001b[2J\nsecond line' }],
    });
    expect(text).toContain('● sd-gateway.service: failed\n');
    expect(text).toContain(
      'Result: exit-code: the gateway ended: exit status 78 (unusable configuration or store)',
    );
    expect(text).toContain('Restarts: 3 by systemd itself since it was last started');
    expect(text).toContain('  2026-11-23 17:00:00 sd-gateway: wrong\\x1b[2J\n');
    expect(text).not.toContain('Status:');
    expect(text).not.toContain('Watchdog:');
  });

  it('names what triggers it, what adds to its file, and what is wrong with that', () => {
    const text = show({
      unit: unit({
        dropIns: ['/etc/systemd/system/sd-gateway.service.d/a.conf'],
        triggeredBy: ['sd-gateway.socket'],
        loadState: 'bad-setting',
        loadError: 'it has a bad setting.',
      }),
    });
    expect(text).toContain('(system, enabled, bad-setting)\n');
    expect(text).toContain('   Drop-ins: /etc/systemd/system/sd-gateway.service.d/a.conf\n');
    expect(text).toContain('  Triggered: by sd-gateway.socket\n');
    expect(text).toContain(' Load error: it has a bad setting.\n');
  });

  it('tells a run that ended without a word', () => {
    expect(show({ lastStop: lastStopOf(run({ stop: null }), 'store') })).toContain(
      'Last stop: it ended without a word',
    );
  });

  it('names what keeps the store’s log from being emptied', () => {
    const readers = [{ pid: 7, command: 'sqlite3' }];
    const row = (storeLog: StatusReport['storeLog']) => show({ storeLog }, 200).match(/Store log: (.*)/)?.[1];
    expect(row({ sizeBytes: 250 * 1024 ** 2, isLong: true, readers })).toBe(
      '250.0M, kept from being emptied by sqlite3 (PID 7)',
    );
    expect(row({ sizeBytes: 250 * 1024 ** 2, isLong: true, readers: [] })).toContain('fuser');
    expect(row({ sizeBytes: 4_000_000, isLong: false, readers })).toBeUndefined();
  });

  it('calls a run no crash whose end the database can’t have', () => {
    const restored = run({ stop: null, endUnknown: 'the database is older than that run' });
    expect(show({ lastStop: lastStopOf(restored, 'store') })).toContain(
      'Last stop: not on record: the database is older than that run',
    );
  });

  it('without a unit is short', () => {
    expect(
      show({
        verdict: 'not-installed',
        unit: null,
        gateway: null,
        lastStop: null,
        instance: 'a',
        notes: ['Install it.'],
      }),
    ).toBe('● sd-gateway, instance a: not installed\n\nInstall it.\n');
  });

  it.each([40, 60, 80, 120])('keeps to %d columns', (width) => {
    const lines = show({ gateway: gateway({ trouble: 'word '.repeat(60).trim() }) }, width).split('\n');
    // A longer line has no blank after the label: a path, an id.
    expect(lines.filter((line) => line.length > width && line.slice(13).includes(' '))).toEqual([]);
  });

  it('paints on a terminal that can', () => {
    const painted = statusText(
      report(),
      { ...plain(80), paint: (style, text) => `<${style}>${text}</>` },
      'UTC',
    );
    expect(painted).toContain('<green>●</> <bold>sd-gateway.service</>: <green>running</>');
  });
});

describe('the notes', () => {
  const manager = new ServiceManager('system');
  const here = (one: UnitState): Found => ({ kind: 'unit', manager, unit: one });
  const none: Found = { kind: 'none', trouble: null };
  it.each<[string, Parameters<typeof notesOf>, RegExp]>([
    ['running', ['running', unit(), target, here(unit())], /^$/],
    ['stopped', ['stopped', unit(), target, here(unit())], /^To start it: (sudo )?sd-gateway start$/],
    [
      'changed since',
      ['running', unit({ needsDaemonReload: true }), target, none],
      /changed since systemd read it.*systemctl daemon-reload$/,
    ],
    [
      'waiting for its restart',
      ['failed', failed({ subState: 'auto-restart', restartDelay: 100 }), target, none],
      /by itself 100 ms after each end\..*logs/s,
    ],
    ['unusable configuration', ['failed', failed({ exit: exited(78) }), target, none], /check-config/],
    ['masked', ['stopped', unit({ loadState: 'masked' }), target, none], /unmask sd-gateway\.service$/],
    [
      'frozen',
      ['running', unitState('system', 'a.service', { ...shown, FreezerState: 'frozen' }), target, none],
      /it is frozen.* systemctl thaw a\.service$/,
    ],
    [
      'frozen, and about to be killed',
      [
        'stopping',
        unitState('system', 'a.service', { ...shown, ActiveState: 'deactivating', FreezerState: 'frozen' }),
        target,
        none,
      ],
      /it is frozen, and can’t end.* systemctl kill --signal=KILL a\.service$/,
    ],
    [
      'without its file',
      ['running', unit({ loadState: 'not-found' }), target, here(unit())],
      /unit file is gone.* (sudo )?sd-gateway install$/,
    ],
    ['foreground beside a unit', ['foreground', unit(), target, none], /was started in the foreground/],
    ['no unit', ['not-installed', null, target, none], /To install one: (sudo )?sd-gateway install$/],
    [
      'elsewhere',
      [
        'running',
        unit(),
        { scope: 'user', instance: null },
        { kind: 'elsewhere', manager, unit: unit(), trouble: null },
      ],
      /is a unit of the system’s service manager .*your user manager has none/,
    ],
    [
      'no systemd',
      [
        'unknown',
        null,
        target,
        {
          kind: 'none',
          trouble: { scope: 'system', kind: 'no-systemd', text: 'no systemd here', next: null },
        },
      ],
      /^Note: no systemd here\.$/,
    ],
  ])('%s', (_name, given, text) => {
    expect(notesOf(...given).join('\n')).toMatch(text);
  });
});

describe('the unit file', () => {
  it.each([
    ['none', /^as this version/],
    ['drifted', /see sd-gateway install --dry-run.*, then (sudo )?sd-gateway install/],
    ['edited', /edited since/],
    ['foreign', /not written by/],
    ['packaged', /package/],
    ['undecided', /can’t be said: no configuration/],
    ['not-installed', /elsewhere/],
  ] as const)('%s', (state, text) => {
    const drift = driftFacts({ state, difference: '', reason: 'no configuration' }, target);
    expect(drift).toMatchObject({ state, text: expect.stringMatching(text) });
    expect(show({ drift }, 400)).toContain(`  Unit file: ${drift.text}\n`);
  });
});

describe('the table', () => {
  it('has a line for each unit, as wide as the terminal', () => {
    const units = [
      unit(),
      failed({ name: 'sd-gateway-b.service', restarts: 5, statusText: null }),
      unit({
        name: 'sd-gateway-c.service',
        loadState: 'masked',
        activeState: 'inactive',
        mainPid: null,
        since: null,
      }),
    ];
    const text = statusTable(units, now, { ...plain(100), isTerminal: true });
    expect(text.split('\n').map((line) => line.split(/\s{2,}/).slice(0, 4))).toEqual([
      ['UNIT', 'STATE', 'SINCE', 'PID'],
      ['sd-gateway.service', 'running', '7min 3s ago', '147'],
      ['sd-gateway-b.service', 'failed', '7min 3s ago', '–'],
      ['sd-gateway-c.service', 'masked', '–', '–'],
      [''],
    ]);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('gives a pipe the whole status line', () => {
    const statusText = `Ready, ${'one host is waited for, '.repeat(10)}`.trimEnd();
    expect(statusTable([unit({ statusText })], now, plain(80))).toContain(statusText);
  });
});

describe('the words', () => {
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1.0K'],
    [70_373_376, '67.1M'],
    [3 * 1024 ** 3, '3.0G'],
  ])('size %d', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('time, as systemd writes it', () => {
    expect(formatTime(now, 'UTC')).toBe('Mon 2026-11-23 17:00:00 UTC');
    expect(formatAgo(now - 500, now)).toBe('just now');
    expect(formatAgo(now - 90_000, now)).toBe('1min 30s ago');
  });

  it('wrapped', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('a verylongword b', 5)).toEqual(['a', 'verylongword', 'b']);
    expect(wrap('one\ntwo', 20)).toEqual(['one', 'two']);
  });
});
