import { describe, expect, it } from 'vitest';
import type { GatewayFacts } from '../../src/channels/control/facts.js';
import type { PortHolder } from '../../src/channels/http/server/port-holder.js';
import { isSupportedNode } from '../../src/doctor/checks/program.js';
import { startDurations } from '../../src/doctor/checks/running.js';
import { wrapperIn } from '../../src/doctor/checks/unit.js';
import { examine } from '../../src/doctor/examine.js';
import { journaldSettings } from '../../src/doctor/facts/journal.js';
import { commandOf } from '../../src/doctor/facts/unit.js';
import {
  type AccessFacts,
  type AgentAccess,
  type DoctorFacts,
  type Known,
  known,
  unknown,
} from '../../src/doctor/facts.js';
import { isHealthy } from '../../src/doctor/finding.js';
import { history } from '../../src/doctor/history.js';
import type { RunRecord } from '../../src/store/open-store.js';
import type { Integrity } from '../../src/store/store-kind.js';
import { environmentOf, namedConfiguration, unitSettings } from '../../src/units/unit-settings.js';
import { gateway, now, run } from '../cli/operate/samples.js';

const file = (path: string, mode: number, uid = 7) =>
  known({ path, mode, uid, sizeBytes: 43, isDirectory: mode === 0o700, isFile: mode !== 0o700 });
const properties = {
  LoadState: 'loaded',
  FragmentPath: '/etc/systemd/system/sd-gateway.service',
  UnitFileState: 'enabled',
  ActiveState: 'active',
  SubState: 'running',
  Result: 'success',
  Type: 'notify',
  NotifyAccess: 'main',
  KillMode: 'mixed',
  KillSignal: '15',
  User: 'sd-gateway',
  DynamicUser: 'no',
  MainPID: '42',
  NeedDaemonReload: 'no',
  TimeoutStartUSec: '1min 30s',
  TimeoutStopUSec: '1min',
  WatchdogUSec: '30s',
  WatchdogTimestampMonotonic: '99000000',
};
const unit = {
  name: 'sd-gateway.service',
  properties,
  command: ['sd-gateway', 'run'],
  complaints: known([]),
  obstacles: [],
  job: null,
  drift: null,
  user: known({ name: 'sd-gateway', uid: 7, exists: true, dropIn: null }),
  askedAt: 100_000,
};
const node = { file: '/usr/bin/node', version: 'v20.19.0', modules: '115', addon: null, sqlite: null };
const configuration = {
  file: null,
  problems: [],
  warnings: [],
  supervisor: 'auto' as const,
  drain: 30_000,
  port: 8733,
  listen: '127.0.0.1:8733',
};
const data: DoctorFacts['data'] = {
  stateDirectory: file('/s', 0o700),
  runtimeDirectory: file('/r', 0o700),
  leftoverLink: null,
  token: file('/s/token', 0o600),
  entries: known([]),
  store: known({
    name: '/s/gateway.db',
    integrity: known({ errors: [] }),
    log: known({ sizeBytes: 4_000_000, isLong: false, readers: [] }),
  }),
  disk: known({ path: '/s', freeBytes: 5e9, totalBytes: 1e10, totalInodes: 1000, freeInodes: 900 }),
};
const journal = { events: [], drains: [], supervision: 'unit', suppressed: [], mayRead: true };
const journald = {
  stopped: null,
  storage: 'persistent',
  persistentDirectory: true,
  rateLimitBurst: null,
  rateLimitInterval: null,
};
const told = (change: Partial<GatewayFacts>): DoctorFacts['gateway'] => ({
  outcome: 'told',
  facts: gateway(change),
});
const access: AccessFacts = {
  user: 'sd-gateway',
  agents: [{ name: 'default', program: null, findings: [] }],
  configuration: null,
};
const healthy: DoctorFacts = {
  at: now,
  scope: 'system',
  instance: null,
  uid: 0,
  user: 'root',
  manager: { booted: true, version: 252, unreachable: null },
  unit: known(unit),
  linger: null,
  configuration: known(configuration),
  node: known(node),
  places: { state: '/s', runtime: '/r', configuration: '/c', problems: [] },
  data,
  port: known({ holders: [{ pid: 42, name: 'node' }], mainPids: [42, 42], elsewhere: [] }),
  journal: known(journal),
  journald: known(journald),
  runs: known([]),
  gateway: told({ channels: [] }),
  access: known(access),
  managerEnvironment: known({}),
  platforms: [],
};
const withUnit = (change: Readonly<Record<string, string>>) => ({
  unit: known({ ...unit, properties: { ...properties, ...change } }),
});
const startingWith = (StatusText: string) => ({ ActiveState: 'activating', SubState: 'start', StatusText });
const dropInUser = { file: '/etc/systemd/system/sd-gateway.service.d/own.conf', line: 2, text: 'User=bob' };
const withUser = (name: string, exists: boolean, dropIn: typeof dropInUser | null = null) => ({
  unit: known({ ...unit, user: known({ name, uid: exists ? 7 : null, exists, dropIn }) }),
});
const withData = (change: Partial<DoctorFacts['data']>) => ({ data: { ...data, ...change } });
const withStore = (integrity: Known<Integrity>) =>
  withData({ store: known({ name: '/s/gateway.db', integrity, log: known(null) }) });
type StoreFacts = Extract<DoctorFacts['data']['store'], { readonly known: true }>['value'];
const withLog = (log: NonNullable<StoreFacts>['log']) =>
  withData({ store: known({ name: '/s/gateway.db', integrity: known({ errors: [] }), log }) });
const ofRoot = (path: string) => ({
  path,
  mode: 0o600,
  uid: 0,
  sizeBytes: 1,
  isDirectory: false,
  isFile: true,
});
const held = (...holders: readonly PortHolder[]) => ({
  port: known({ holders, mainPids: [42, 42], elsewhere: [] }),
});
const restarted = (change: Readonly<Record<string, string>>) => withUnit({ NRestarts: '3', ...change });
const withObstacle = (text: string, change: Readonly<Record<string, string>> = {}) => ({
  unit: known({
    ...unit,
    properties: { ...properties, ...change },
    obstacles: [{ file: '/d.conf', line: 2, text, why: 'there is no /b' }],
  }),
});
const channel = (state: string, forMs = 1_000) => ({
  name: `toy-${state}`,
  required: false,
  state,
  since: now - forMs,
  reason: null,
});
const waitingHost = (state: string) => ({ origin: 'https://a', state, failures: 19, until: now + 5_000 });
const retriedReplies = (attempts: number) => ({
  origin: 'toy:ada',
  replies: 23,
  attempts,
  since: now - 60_000,
  reason: 'the program gave no answer within 1 min',
});
const notBooted = { booted: false, version: null, unreachable: null };
const inContainer = (drain: number) => ({
  manager: notBooted,
  gateway: told({ pid: 1 }),
  configuration: known({ ...configuration, supervisor: 'container' as const, drain }),
});
const absent = { outcome: 'absent', reason: 'no gateway answers' } as const;
const work = { ...(gateway().work as NonNullable<GatewayFacts['work']>) };
const withAccess = (change: Partial<AccessFacts>) => ({ access: known({ ...access, ...change }) });
const withProgram = (program: AgentAccess['program'], more: Partial<AgentAccess> = {}) =>
  withAccess({ agents: [{ name: 'default', program, findings: [], ...more }] });
const nginx = { pid: 9, name: 'nginx' };
const systemd = { pid: 1, name: 'systemd' };
const userManager = { pid: 8, name: 'systemd' };
const event = { at: 0, kind: 'crash', text: 'a crash', invocation: null } as const;

describe('verdicts', () => {
  it('leaves a copy alone that root keeps in the state directory', () => {
    const found = examine({ ...healthy, ...withData({ entries: known([ofRoot('/s/backup.db')]) }) });
    expect(found.filter(({ check }) => check === 'owners')).toEqual([]);
  });

  it('finds a dynamic user, and the link that its unit has left, as they should be', () => {
    const dynamic = { ...properties, DynamicUser: 'yes' };
    const found = examine({
      ...healthy,
      unit: known({ ...unit, properties: dynamic, user: known(null) }),
      data: { ...data, leftoverLink: '/run/sd-gateway' },
    });
    expect(found.filter(({ verdict }) => verdict !== 'ok' && verdict !== 'not-applicable')).toEqual([]);
  });

  it('finds nothing in what is healthy', () => {
    const found = examine(healthy);
    expect(found.filter(({ verdict }) => verdict !== 'ok' && verdict !== 'not-applicable')).toEqual([]);
  });

  it('names the channel that is down, and why replies don’t arrive', () => {
    const found = examine({
      ...healthy,
      gateway: told({
        channels: [
          { ...channel('down', 90_000), reason: 'it can’t be started' },
          { ...channel('down', 90_000), name: 'tg', isolated: true, reason: 'its process was killed' },
        ],
        waitingHosts: [{ ...waitingHost('open'), origin: 'toy:ada' }],
        retriedReplies: [retriedReplies(19), { ...retriedReplies(4), origin: 'toy:bob' }],
      }),
    });
    const texts = found.filter(({ verdict }) => verdict === 'problem').map(({ text }) => text);
    expect(texts).toEqual([
      'The channel "toy-down" is down, for 1min 30s by now: it can’t be started',
      'The channel "tg" (isolated) is down, for 1min 30s by now: its process was killed',
      '19 attempts to deliver to toy:ada failed in a row, and its replies wait, the next try in 5s: the program gave no answer within 1 min',
      '23 replies to toy:bob can’t be delivered for 1min by now, after up to 4 attempts: the program gave no answer within 1 min',
    ]);
  });

  it('counts the stops that systemd cut off, and no start that was late', () => {
    const of = (invocation: string, kind: 'started' | 'failed', text = '') => ({
      at: 0,
      kind,
      text,
      invocation,
    });
    const late = "Failed with result 'timeout'.";
    const events = [of('a', 'started'), of('a', 'failed', late), of('b', 'failed', late)];
    const facts = { ...healthy, journal: known({ ...journal, events, drains: [5, 6] }) };
    const stop = (change: Partial<DoctorFacts>) =>
      examine({ ...facts, ...change }).find(({ check }) => check === 'time to stop');
    expect(stop({})).toMatchObject({
      verdict: 'warning',
      text: expect.stringContaining('1 of the last 3 stops took longer than TimeoutStopSec=1min,'),
    });
    expect(stop(withUnit({ RuntimeMaxUSec: '1d' }))).toMatchObject({ verdict: 'ok' });
    // RuntimeMaxSec= was set then, and is no more.
    expect(stop({ runs: known([run({ invocationId: 'a' })]) })).toMatchObject({ verdict: 'ok' });
  });

  it.each<[check: string, verdict: string, change: Partial<DoctorFacts>, mend: string | null]>([
    ['service manager', 'not-applicable', { manager: notBooted }, null],
    ['service manager', 'warning', { manager: notBooted, gateway: absent }, 'foreground'],
    ['unit file', 'not-applicable', { unit: known(null) }, null],
    [
      'environment',
      'warning',
      { managerEnvironment: known({ SD_GATEWAY_HTTP_LISTEN: '[::]:80' }) },
      'unset-environment SD_GATEWAY_HTTP_LISTEN',
    ],
    [
      'environment',
      'warning',
      { managerEnvironment: known({ NODE_OPTIONS: '--inspect' }) },
      'unset-environment NODE_OPTIONS',
    ],
    ['environment', 'ok', { managerEnvironment: known({ LANG: 'C', PATH: '/bin' }) }, null],
    ['environment', 'unknown', { managerEnvironment: unknown('why') }, null],
    ['scopes and intents', 'not-applicable', {}, null],
    ['scopes and intents', 'ok', { platforms: [{ name: 'team', lacks: null }] }, null],
    ['scopes and intents', 'unknown', { platforms: [{ name: 'team', untold: 'why' }] }, null],
    [
      'scopes and intents',
      'warning',
      { platforms: [{ name: 'team', lacks: { kind: 'scopes', scopes: 'files:read (no files)' } }] },
      'install the app again',
    ],
    [
      'scopes and intents',
      'problem',
      { platforms: [{ name: 'team', lacks: { kind: 'message-content' } }] },
      'channels.team.message_content = false',
    ],
    ['dead letters', 'ok', {}, null],
    ['dead letters', 'warning', { gateway: told({ work: { ...work, dead: 2 } }) }, 'sd-gateway dead'],
    ['dead letters', 'not-applicable', { gateway: absent }, null],
    ['dead letters', 'unknown', { gateway: told({ work: null }) }, null],
    ['agent', 'problem', withProgram({ name: 'claude', path: null, denied: null }), 'check-config'],
    [
      'agent',
      'problem',
      withProgram({ name: 'claude', path: '/opt/me/claude', denied: '/opt/me' }),
      'chmod o+x /opt/me',
    ],
    [
      'agent',
      'problem',
      withProgram({ name: 'claude', path: '/home/me/claude', denied: '/home/me' }),
      'Put the program elsewhere',
    ],
    [
      'agent',
      'problem',
      withProgram({ name: '/root/a', path: '/root/a', denied: '/root', hidden: 'ProtectHome=yes' }),
      'below /opt or /usr/local',
    ],
    ['agent', 'ok', withProgram({ name: 'claude', path: '/usr/bin/claude', denied: null }), null],
    ['agent', 'not-applicable', withProgram(null), null],
    [
      'agent fast',
      'problem',
      withProgram(null, {
        name: 'fast',
        findings: [{ verdict: 'problem', text: 'no such model', mend: 'Choose one of these: a, b' }],
      }),
      'Choose one of these',
    ],
    [
      'agent',
      'problem',
      withProgram(null, {
        findings: [
          { verdict: 'problem', text: 'a login', mend: 'Log in', command: ['env', 'HOME=/h', 'claude'] },
        ],
      }),
      'env HOME=/h claude',
    ],
    ['agent', 'unknown', { access: unknown('why') }, null],
    [
      'configuration',
      'problem',
      {
        ...withAccess({ configuration: '/etc/x.toml' }),
        configuration: known({ ...configuration, file: '/etc/x.toml' }),
      },
      'chmod o+r /etc/x.toml',
    ],
    ['service manager', 'problem', { manager: { booted: true, version: null, unreachable: 'no bus' } }, null],
    [
      'service manager',
      'not-applicable',
      {
        scope: 'user',
        manager: { booted: true, version: null, unreachable: 'no bus' },
        unit: unknown('no bus'),
        gateway: told({ unit: null }),
      },
      null,
    ],
    [
      'linger',
      'not-applicable',
      {
        scope: 'user',
        manager: { booted: true, version: null, unreachable: 'no bus' },
        linger: known(false),
        unit: unknown('no bus'),
        gateway: told({ unit: null }),
      },
      null,
    ],
    ['state directory', 'problem', { data: { ...data, stateDirectory: file('/s', 0o000) } }, 'chmod 700 /s'],
    ['service manager', 'warning', { manager: { booted: true, version: 241, unreachable: null } }, null],
    ['linger', 'warning', { linger: known(false) }, 'loginctl enable-linger root'],
    ['linger', 'ok', { linger: known(true) }, null],
    ['unit file', 'unknown', { unit: unknown('why') }, null],
    ['unit file', 'problem', { unit: known(null), gateway: absent }, 'sd-gateway install'],
    ['unit file', 'problem', withUnit({ LoadState: 'masked' }), 'systemctl unmask sd-gateway.service'],
    ['unit file', 'problem', withUnit({ LoadState: 'bad-setting' }), 'systemctl status'],
    ['unit file', 'problem', withUnit({ LoadState: 'not-found' }), 'sd-gateway install'],
    ['validity', 'warning', { unit: known({ ...unit, complaints: known(['x']) }) }, 'daemon-reload'],
    ['validity', 'unknown', { unit: known({ ...unit, complaints: unknown('x') }) }, null],
    [
      'drift',
      'warning',
      { unit: known({ ...unit, drift: { state: 'drifted', reason: null, difference: '' } }) },
      'install',
    ],
    [
      'drift',
      'warning',
      { unit: known({ ...unit, drift: { state: 'edited', reason: null, difference: '' } }) },
      'drop-in',
    ],
    [
      'drift',
      'unknown',
      { unit: known({ ...unit, drift: { state: 'undecided', reason: 'x', difference: '' } }) },
      null,
    ],
    ['in force', 'warning', withUnit({ NeedDaemonReload: 'yes' }), 'systemctl daemon-reload'],
    ['state', 'problem', withUnit({ ActiveState: 'failed' }), 'sd-gateway logs'],
    [
      'state',
      'problem',
      { ...withUnit({ FreezerState: 'frozen' }), gateway: absent },
      'systemctl thaw sd-gateway.service',
    ],
    [
      'state',
      'problem',
      { ...withUnit({ ActiveState: 'deactivating', FreezerState: 'frozen' }), gateway: absent },
      'systemctl kill --signal=KILL sd-gateway.service',
    ],
    // It answers, so that systemd has kept the state of the one before.
    ['state', 'ok', withUnit({ FreezerState: 'frozen' }), null],
    ['state', 'ok', withUnit({ FreezerState: 'running' }), null],
    [
      'state',
      'problem',
      withUnit({ ActiveState: 'failed' }),
      'systemctl reset-failed sd-gateway.service && systemctl start sd-gateway.service',
    ],
    ['port', 'unknown', { configuration: known({ ...configuration, problems: ['x'], port: null }) }, null],
    ['state', 'problem', withUnit({ ActiveState: 'activating', SubState: 'auto-restart' }), 'logs'],
    ['state', 'problem', withUnit(startingWith('Starting: waiting up to 5min: a port')), 'goes on by itself'],
    ['state', 'ok', withUnit(startingWith('Starting: opening the store')), null],
    [
      'state',
      'problem',
      {
        ...withUnit(startingWith('Starting: opening the store')),
        gateway: told({ status: 'Starting: waiting up to 3s: an address' }),
      },
      'goes on by itself',
    ],
    ['state', 'problem', restarted({ ActiveState: 'activating', SubState: 'start' }), 'sd-gateway logs'],
    [
      'state',
      'problem',
      restarted({ ActiveState: 'activating', SubState: 'auto-restart-queued', NRestarts: '0' }),
      'sd-gateway logs',
    ],
    ['state', 'problem', withUnit({ ActiveState: 'deactivating', Result: 'timeout' }), 'sd-gateway logs'],
    ['state', 'ok', withUnit({ ActiveState: 'deactivating' }), null],
    ['state', 'problem', restarted({ ActiveEnterTimestampMonotonic: '98000000' }), 'sd-gateway logs'],
    ['state', 'ok', restarted({ ActiveEnterTimestampMonotonic: '1000000' }), null],
    ['state', 'ok', restarted({ ActiveEnterTimestampMonotonic: '98000000', NRestarts: '1' }), null],
    ['user', 'problem', withUser('sd-gateway', false), 'sd-gateway install'],
    ['user', 'problem', withUser('bob', false), 'sd-gateway install --run-as USER'],
    ['user', 'problem', withUser('bob', false, dropInUser), 'sd-gateway start'],
    ['user', 'ok', withUser('bob', true), null],
    ['user', 'warning', withUser('root', true), 'User='],
    ['user', 'not-applicable', { unit: known({ ...unit, user: known(null) }) }, null],
    ['kill', 'problem', withUnit({ KillSignal: '9' }), 'KillSignal=SIGTERM'],
    ['kill', 'problem', withUnit({ KillSignal: '1' }), 'KillSignal=SIGTERM'],
    ['kill', 'problem', withUnit({ KillSignal: '28' }), 'KillSignal=SIGTERM'],
    ['kill', 'problem', withUnit({ RestartKillSignal: '9' }), 'RestartKillSignal=SIGTERM'],
    ['kill', 'ok', withUnit({ KillSignal: '2' }), null],
    ['settings', 'ok', {}, null],
    [
      'settings',
      'problem',
      withObstacle('LoadCredential=a:/b', { ActiveState: 'failed' }),
      'systemctl cat sd-gateway.service',
    ],
    // It runs, and would not come back from a restart.
    ['settings', 'problem', withObstacle('LoadCredential=a:/b'), 'systemctl cat sd-gateway.service'],
    [
      'settings',
      'warning',
      withObstacle('MemoryDenyWriteExecute=yes', { NeedDaemonReload: 'yes' }),
      'daemon-reload',
    ],
    [
      'state',
      'warning',
      {
        unit: known({
          ...unit,
          properties: { ...properties, ActiveState: 'inactive' },
          job: { type: 'start', isRunning: false, waitsFor: [] },
        }),
      },
      'systemctl list-jobs --after',
    ],
    ['channels', 'not-applicable', { gateway: absent }, null],
    ['channels', 'not-applicable', { gateway: told({ channels: [] }) }, null],
    ['channels', 'unknown', { gateway: told({}) }, null],
    ['channels', 'ok', { gateway: told({ channels: [channel('up')] }) }, null],
    ['channels', 'ok', { gateway: told({ channels: [channel('starting')] }) }, null],
    ['channels', 'warning', { gateway: told({ channels: [channel('starting', 61_000)] }) }, 'logs'],
    ['channels', 'problem', { gateway: told({ channels: [channel('up'), channel('down')] }) }, 'logs'],
    ['deliveries', 'ok', {}, null],
    ['deliveries', 'ok', { gateway: told({ work: { ...work, undelivered: 3 } }) }, null],
    ['deliveries', 'unknown', { gateway: told({ work: null }) }, null],
    ['deliveries', 'not-applicable', { gateway: absent }, null],
    ['deliveries', 'problem', { gateway: told({ waitingHosts: [waitingHost('open')] }) }, 'logs'],
    ['deliveries', 'warning', { gateway: told({ waitingHosts: [waitingHost('held')] }) }, null],
    ['deliveries', 'problem', { gateway: told({ retriedReplies: [retriedReplies(3)] }) }, 'logs'],
    ['deliveries', 'ok', { gateway: told({ retriedReplies: [retriedReplies(2)] }) }, null],
    ['kill', 'warning', withUnit({ KillMode: 'control-group' }), 'KillMode=mixed'],
    ['kill', 'warning', withUnit({ KillMode: 'process' }), 'KillMode=mixed'],
    ['kill', 'ok', withUnit({ KillMode: 'mixed', KillSignal: '15' }), null],
    ['user', 'unknown', { unit: known({ ...unit, user: unknown('there is no getent here') }) }, null],
    ['link', 'problem', withData({ leftoverLink: '/run/sd-gateway' }), 'rm /run/sd-gateway'],
    ['notification', 'problem', withUnit({ NotifyAccess: 'none' }), 'NotifyAccess=main'],
    ['notification', 'problem', withUnit({ Type: 'simple' }), 'Type=notify'],
    ['notification', 'warning', withUnit({ NotifyAccess: 'all' }), 'NotifyAccess=main'],
    ['main process', 'problem', { journal: known({ ...journal, supervision: 'wrapper' }) }, 'ExecStart='],
    [
      'main process',
      'problem',
      { unit: known({ ...unit, command: ['npm', 'start'] }), journal: unknown('x') },
      'ExecStart=',
    ],
    ['Node.js', 'problem', { node: unknown('gone') }, 'Install'],
    ['Node.js', 'problem', { node: known({ ...node, version: 'v18.20.0' }) }, 'Install'],
    ['addon', 'problem', { node: known({ ...node, addon: 'no ABI' }) }, 'npm rebuild'],
    ['SQLite module', 'problem', { node: known({ ...node, sqlite: 'no ABI' }) }, 'npm rebuild'],
    [
      'configuration',
      'problem',
      { configuration: known({ ...configuration, problems: ['x'] }) },
      'check-config',
    ],
    ['configuration', 'warning', { configuration: known({ ...configuration, warnings: ['x'] }) }, null],
    ['token', 'problem', withData({ token: file('/s/token', 0o640) }), 'chmod 600 /s/token'],
    ['token', 'problem', withData({ token: file('/s/token', 0o600, 8) }), 'chown sd-gateway /s/token'],
    ['token', 'ok', withData({ token: file('/s/token', 0o400, 0) }), null],
    [
      'token',
      'problem',
      withData({
        token: known({
          path: '/s/token',
          mode: 0o600,
          uid: 7,
          sizeBytes: 0,
          isDirectory: false,
          isFile: true,
        }),
      }),
      'rm /s/token',
    ],
    ['token', 'unknown', withData({ token: unknown('EACCES') }), null],
    [
      'token',
      'problem',
      withData({
        token: known({
          path: '/s/token',
          mode: 0o777,
          uid: 7,
          sizeBytes: 9,
          isDirectory: false,
          isFile: false,
        }),
      }),
      'ls -ld /s/token',
    ],
    [
      'directories',
      'problem',
      { places: { ...healthy.places, problems: ['STATE_DIRECTORY: it holds /a, /b'] } },
      'systemctl cat sd-gateway.service',
    ],
    ['state directory', 'warning', withData({ stateDirectory: file('/s d', 0o755) }), "chmod 700 '/s d'"],
    [
      // The next start would open the directory again.
      'state directory',
      'warning',
      {
        ...withData({ stateDirectory: file('/s', 0o755) }),
        ...withUnit({ StateDirectory: 's', StateDirectoryMode: '0755' }),
      },
      'StateDirectoryMode=0700',
    ],
    [
      'owners',
      'problem',
      withData({ entries: known([ofRoot('/s/last-words.json')]) }),
      'chown --recursive 7 /s',
    ],
    [
      'owners',
      'problem',
      withData({ entries: known([ofRoot('/s/gateway.db-wal')]) }),
      'chown --recursive 7 /s',
    ],
    [
      // The directory was given away, not what is in it: the user of the unit counts.
      'owners',
      'problem',
      withData({
        stateDirectory: file('/s', 0o700, 0),
        entries: known([{ ...ofRoot('/s/agents'), mode: 0o700, uid: 7 }]),
      }),
      'chown --recursive sd-gateway: /s',
    ],
    ['token', 'ok', withData({ stateDirectory: file('/s', 0o700, 0) }), null],
    [
      'token',
      'problem',
      {
        ...withData({ stateDirectory: file('/s', 0o700, 0), token: file('/s/token', 0o600, 9) }),
        unit: known(null),
      },
      'chown 0 /s/token',
    ],
    ['store', 'problem', withStore(known({ errors: ['row missing'] })), 'sd-gateway stop'],
    [
      'store',
      'problem',
      withData({ entries: known([{ ...ofRoot('/s/gateway.db-shm'), uid: 7, mode: 0o400 }]) }),
      'chmod 600 /s/gateway.db-shm',
    ],
    ['store', 'problem', withStore(known({ errors: [], refused: 'run the newer sd-gateway' })), null],
    ['store', 'unknown', withStore(unknown('busy')), null],
    [
      'store',
      'problem',
      withData({
        store: known({
          name: '/s/gateway.db',
          lost: 'The database /s/gateway.db is gone',
          integrity: known({ errors: [] }),
          log: known(null),
        }),
      }),
      null,
    ],
    [
      'disk',
      'problem',
      withData({
        disk: known({ path: '/s', freeBytes: 1e6, totalBytes: 1e10, totalInodes: 0, freeInodes: 0 }),
      }),
      'du ',
    ],
    [
      'disk',
      'problem',
      withData({
        disk: known({ path: '/s', freeBytes: 1e9, totalBytes: 1e10, totalInodes: 9e5, freeInodes: 9 }),
      }),
      'du ',
    ],
    [
      'disk',
      'warning',
      withData({
        disk: known({ path: '/s', freeBytes: 1e8, totalBytes: 1e10, totalInodes: 0, freeInodes: 0 }),
      }),
      'du ',
    ],
    ['port', 'problem', held(nginx), 'ps -fp 9'],
    ['port', 'problem', held(systemd, nginx), 'ps -fp 9'],
    ['port', 'problem', { scope: 'user', ...held(userManager, nginx) }, 'ps -fp 9'],
    ['port', 'problem', held(userManager), 'ps -fp 8'],
    // Another user's manager keeps the socket of that user's gateway.
    ['port', 'problem', held(userManager, nginx), 'ps -fp 9'],
    ['port', 'ok', held(systemd), null],
    // The unit's next process in a loop of starts.
    [
      'port',
      'ok',
      { port: known({ holders: [{ pid: 77, name: 'node' }], mainPids: [0, 77], elsewhere: [] }) },
      null,
    ],
    ['port', 'ok', { scope: 'user', ...held(userManager) }, null],
    ['port', 'ok', { scope: 'user', ...held(userManager, { pid: 42, name: 'node' }) }, null],
    ['port', 'ok', { ...held(systemd, { pid: 43, name: 'node' }), gateway: told({ pid: 43 }) }, null],
    [
      'port',
      'problem',
      { port: known({ holders: [], mainPids: [42, 42], elsewhere: ['127.0.0.1:8733'] }) },
      'PrivateNetwork=no',
    ],
    ['port', 'unknown', { ...held(), gateway: absent }, null],
    // Its descriptors can't be seen, and it says itself what it has.
    ['port', 'ok', held(), null],
    ['port', 'ok', { ...held(), ...withUnit({ MainPID: '0' }) }, null],
    ['time to stop', 'warning', withUnit({ TimeoutStopUSec: '30s' }), 'TimeoutStopSec=60'],
    ['time to stop', 'warning', { journal: known({ ...journal, drains: [70_000] }) }, 'TimeoutStopSec='],
    ['time to stop', 'warning', inContainer(30_000), 'docker run --stop-timeout 60'],
    ['time to stop', 'warning', { gateway: told({ pid: 1 }), manager: notBooted }, '--stop-timeout'],
    ['time to stop', 'ok', inContainer(8_000), null],
    ['supervisor', 'warning', { gateway: told({ pid: 1 }), manager: notBooted }, 'supervisor = "container"'],
    [
      // It waited, and lengthened its limit meanwhile: systemd would have ended it otherwise.
      'time to ready',
      'ok',
      {
        journal: known({
          ...journal,
          events: [
            { at: 0, kind: 'starting', text: '', invocation: 'a' },
            { at: 106_000, kind: 'started', text: '', invocation: 'a' },
            { at: 200_000, kind: 'starting', text: '', invocation: 'b' },
            { at: 201_000, kind: 'started', text: '', invocation: 'b' },
          ],
        }),
      },
      null,
    ],
    [
      'time to ready',
      'warning',
      {
        journal: known({
          ...journal,
          events: [
            { at: 0, kind: 'starting', text: '', invocation: 'a' },
            { at: 50_000, kind: 'started', text: '', invocation: 'a' },
          ],
        }),
      },
      'TimeoutStartSec=',
    ],
    ['watchdog', 'warning', withUnit({ WatchdogUSec: '0' }), 'WatchdogSec=30'],
    [
      'watchdog',
      'warning',
      { journal: known({ ...journal, events: [{ ...event, kind: 'stall' }] }) },
      'logs',
    ],
    ['watchdog', 'problem', { unit: known({ ...unit, askedAt: 199_000 }) }, 'systemctl status'],
    [
      'parts',
      'problem',
      { gateway: told({ parts: [{ name: 'store', pendingFor: 20_000, stalled: true }] }) },
      'logs',
    ],
    ['parts', 'problem', { gateway: told({ trouble: 'the disk is full' }) }, 'logs'],
    [
      'parts',
      'problem',
      {
        gateway: told({
          agents: [
            {
              name: 'default',
              type: 'command',
              state: 'held',
              reason: 'ENOENT',
              since: 0,
              failures: 1,
              nextAttemptAt: 1,
            },
          ],
        }),
      },
      'logs',
    ],
    [
      'parts',
      'warning',
      {
        gateway: told({
          connections: { open: 824, bound: 824, withoutToken: 103, withoutTokenBound: 103, reached: true },
        }),
      },
      'ss --processes',
    ],
    ['parts', 'warning', { gateway: told({ eventLoopDelay: { mean: 1, p99: 2, max: 3_000 } }) }, 'processor'],
    ['parts', 'problem', { gateway: { outcome: 'unanswered', reason: 'it may hang' } }, 'logs'],
    ['parts', 'problem', { gateway: { outcome: 'absent', reason: 'nobody answers' } }, 'logs'],
    ['parts', 'unknown', { gateway: { outcome: 'forbidden', reason: 'not for you' } }, 'Ask as root'],
    [
      'parts',
      'not-applicable',
      {
        ...withUnit({ ActiveState: 'inactive' }),
        gateway: { outcome: 'absent', reason: 'nobody answers' },
      },
      null,
    ],
    [
      'last starts and stops',
      'ok',
      { runs: known([run({ stop: null })]), gateway: { outcome: 'unanswered', reason: 'it may hang' } },
      null,
    ],
    [
      'last starts and stops',
      'warning',
      { runs: known([run({ stop: null })]), gateway: { outcome: 'absent', reason: 'no gateway answers' } },
      'logs',
    ],
    ['last starts and stops', 'warning', { journal: known({ ...journal, events: [event] }) }, 'logs'],
    [
      'last starts and stops',
      'unknown',
      { journal: known({ ...journal, mayRead: false }) },
      'systemd-journal',
    ],
    ['store log', 'ok', {}, null],
    ['store log', 'not-applicable', withLog(known(null)), null],
    ['store log', 'unknown', withLog(unknown('not allowed')), null],
    ['store log', 'not-applicable', withData({ store: known(null) }), null],
    [
      'store log',
      'warning',
      withLog(known({ sizeBytes: 3e8, isLong: true, readers: [] })),
      'fuser --verbose /s/gateway.db-shm',
    ],
    [
      'store log',
      'warning',
      withLog(known({ sizeBytes: 3e8, isLong: true, readers: [{ pid: 7, command: 'sqlite3' }] })),
      'ps -f --pid 7',
    ],
    ['records', 'ok', withUnit({ LogNamespace: 'apart' }), null],
    [
      'records',
      'problem',
      {
        journald: known({
          ...journald,
          stopped: { reason: 'journald does not run', command: 'systemctl start x' },
        }),
      },
      'systemctl start x',
    ],
    ['records', 'unknown', { journal: known({ ...journal, mayRead: false }) }, 'systemd-journal'],
    ['records', 'unknown', { journal: known({ ...journal, mayRead: null }) }, null],
    ['records', 'unknown', { journal: unknown('journalctl: it failed') }, null],
    ['records', 'warning', withUnit({ StandardError: 'append' }), 'systemctl cat'],
    ['records', 'warning', withUnit({ StandardError: 'inherit', StandardOutput: 'file' }), 'systemctl cat'],
    ['records', 'ok', withUnit({ StandardError: 'inherit', StandardOutput: 'journal' }), null],
    ['time to stop', 'unknown', { journal: unknown('No journal files were opened') }, null],
    ['time to ready', 'unknown', { journal: known({ ...journal, mayRead: false }) }, null],
    ['rate limit', 'unknown', { journal: known({ ...journal, mayRead: false }) }, null],
    [
      'rate limit',
      'ok',
      {
        journal: known({ ...journal, mayRead: false }),
        journald: known({ ...journald, rateLimitBurst: '0' }),
      },
      null,
    ],
    ['persistence', 'problem', { journald: known({ ...journald, storage: 'none' }) }, 'Storage=persistent'],
    [
      'persistence',
      'warning',
      { journald: known({ ...journald, storage: 'volatile' }) },
      'Storage=persistent',
    ],
    [
      'persistence',
      'warning',
      { journald: known({ ...journald, storage: 'auto', persistentDirectory: false }) },
      '/var/log/journal',
    ],
    [
      'rate limit',
      'warning',
      { journal: known({ ...journal, suppressed: ['Suppressed 3'] }) },
      'LogRateLimitBurst=',
    ],
  ])('%s: %s', (check, verdict, change, mend) => {
    const found = examine({ ...healthy, ...change });
    const finding = found.find((candidate) => candidate.check === check);
    expect(finding?.verdict).toBe(verdict);
    const said = `${finding?.mend?.text ?? ''} ${finding?.mend?.command ?? ''}`;
    if (mend === null) expect(finding?.mend ?? null).toBeNull();
    else expect(said).toContain(mend);
    if (verdict === 'problem') expect(isHealthy(found)).toBe(false);
  });

  it('never advises to open a home to others', () => {
    const found = examine({
      ...healthy,
      ...withAccess({
        configuration: '/root',
        agents: [
          { name: 'default', program: { name: 'a', path: '/home/me/a', denied: '/home/me' }, findings: [] },
        ],
      }),
      configuration: known({ ...configuration, file: '/root/x.toml' }),
    });
    expect(found.filter(({ verdict }) => verdict === 'problem')).toHaveLength(2);
    expect(JSON.stringify(found)).not.toContain('chmod');
  });

  it('lets a user other than root put sudo before what takes root, and mends nothing of others', () => {
    const found = examine({ ...healthy, uid: 8, ...withData({ token: file('/s/token', 0o644) }) });
    const finding = found.find(({ check }) => check === 'token');
    expect(finding?.mend).toMatchObject({ command: 'sudo chmod 600 /s/token', fix: null });
  });
});

it('names the drop-in that is wrong, not the unit’s file', () => {
  const complaints = known([
    '/etc/systemd/system/sd-gateway.service.d/own.conf:3: Unknown key name, ignoring.',
  ]);
  const found = examine({ ...healthy, unit: known({ ...unit, complaints }) });
  const advice = found.find(({ check }) => check === 'validity')?.mend?.text;
  expect(advice).toBe('Mend the lines in /etc/systemd/system/sd-gateway.service.d/own.conf, then:');
});

it('a unit without StateDirectory= is told to have one', () => {
  const found = examine({ ...healthy, ...withUnit({ StateDirectory: '' }) }).find(({ text }) =>
    text.includes('no StateDirectory='),
  );
  expect(found).toMatchObject({ check: 'state directory', verdict: 'problem' });
  expect(found?.mend?.text).toBe('Set StateDirectory=sd-gateway in [Service]:');
});

describe('the history', () => {
  const failure = (kind: 'start-failed' | 'failed', text: string, invocation: string) =>
    ({ at: 5_000, kind, text, invocation }) as const;

  it('has a failed start once, with systemd’s reason', () => {
    const events = [
      failure('failed', 'Failed with result ‘exit-code’.', 'b'),
      failure('start-failed', 'Failed to start it.', 'b'),
    ];
    const told = history({
      runs: known([]),
      journal: known({ ...journal, events }),
      gateway: absent,
      unit: known(null),
    });
    expect(told.map(({ kind, text }) => [kind, text])).toEqual([
      ['start-failed', 'Failed with result ‘exit-code’.'],
    ]);
  });

  it('has a start that was given up once, with the gateway’s reason, and as no crash', () => {
    const stop = {
      ...(run().stop as NonNullable<RunRecord['stop']>),
      cause: 'unavailable',
      description: 'start given up',
      exitStatus: 1,
      error: 'the port is taken',
    };
    const given = run({ invocationId: 'b', stop, startedAt: 1_000, readyAt: null });
    const events = [
      failure('failed', 'Failed with result ‘exit-code’.', 'b'),
      failure('start-failed', 'Failed to start it.', 'b'),
    ];
    const told = history({
      runs: known([given]),
      journal: known({ ...journal, events }),
      gateway: absent,
      unit: known(null),
    });
    expect(told.filter(({ kind }) => kind !== 'started').map(({ kind, text }) => [kind, text])).toEqual([
      ['start-failed', 'Stopped: start given up (the port is taken); exit status 1'],
    ]);
  });

  it('has no end of the run of a unit that is up, wherever its socket is', () => {
    const runs = known([run({ invocationId: 'b', stop: null, startedAt: 1_000, readyAt: 1_500 })]);
    const told = (ActiveState: string, InvocationID: string) =>
      history({
        runs,
        journal: known({ ...journal, events: [] }),
        gateway: absent,
        ...withUnit({ ActiveState, InvocationID }),
      }).map(({ kind }) => kind);
    expect(told('active', 'b')).toEqual(['started']);
    expect(told('active', 'c')).toEqual(['started', 'crash']);
    expect(told('failed', 'b')).toEqual(['started', 'crash']);
  });

  it('has a crash once, with systemd’s reason where the gateway left no word', () => {
    const crashed = run({ invocationId: 'b', stop: null, startedAt: 1_000, readyAt: 1_500 });
    const next = run({ invocationId: 'c', stop: null, startedAt: 90_000, readyAt: 91_000 });
    const events = [failure('failed', 'Failed with result ‘watchdog’.', 'b')];
    const told = history({
      runs: known([next, crashed]),
      journal: known({ ...journal, events }),
      ...withUnit({ ActiveState: 'active', InvocationID: 'c' }),
      gateway: absent,
    });
    expect(told.map(({ at, kind, text }) => [at, kind, text])).toEqual([
      [1_500, 'started', expect.stringContaining('Ready')],
      // The time of the end, not that of the next start.
      [5_000, 'crash', 'Failed with result ‘watchdog’.'],
      [91_000, 'started', expect.stringContaining('Ready')],
    ]);
  });
});

describe('the parts', () => {
  it.each<[string, string | null]>([
    ['sd-gateway run', null],
    ['/usr/bin/node --enable-source-maps /opt/main.js run', null],
    ['/usr/bin/env node main.js run', null],
    ['/usr/bin/env -i PATH=/bin sd-gateway run', null],
    ['/bin/sh -c sd-gateway run', 'sh'],
    ['/bin/sh -c exec sd-gateway run', null],
    ['/bin/bash -lc cd /opt; exec node main.js run', null],
    ['/bin/sh -c exec node main.js | tee log', 'sh'],
    ['/opt/start.sh', null],
    ['/bin/bash /opt/start.sh', 'bash'],
    ['/usr/bin/npm start', 'npm'],
    ['npx sd-gateway run', 'npx'],
    ['/usr/bin/sudo -u me sd-gateway run', 'sudo'],
    ['/usr/bin/nice -n 5 npm start', null],
  ])('%s has the wrapper %s', (command, wrapper) => {
    expect(wrapperIn(command.split(' '))).toBe(wrapper);
  });

  it.each([
    ['v20.19.0', true],
    ['v20.18.9', false],
    ['v22.0.0', true],
    ['v18.20.0', false],
  ])('%s: %s', (version, supported) => {
    expect(isSupportedNode(version)).toBe(supported);
  });

  it.each([
    [null, 'a sd-gateway', '/var/lib/sd-gateway'],
    ['b', 'sd-gateway sd-gateway-b:link z', '/var/lib/sd-gateway-b'],
    ['b', 'moved', '/var/lib/moved'],
    [null, '', '/var/lib/sd-gateway'],
  ])('the unit’s state directory, instance %s of "%s"', (instance, list, state) => {
    const options = {
      scope: 'system',
      instance,
      systemdVersion: 252,
      home: '/root',
      environment: {},
      uid: 0,
    } as const;
    const found = (more: Readonly<Record<string, string>>) =>
      unitSettings({ StateDirectory: list, ...more }, options).directories;
    expect(found({}).state).toBe(state);
    const usual = instance === null ? '/run/sd-gateway' : `/run/sd-gateway-${instance}`;
    expect(found({ User: 'root' }).runtime).toBe(usual);
    // A gateway that is not root has nothing below /run then.
    for (const more of [{ User: 'olga' }, { DynamicUser: 'yes' }]) expect(found(more).runtime).toBe(state);
    expect(found({ User: 'olga', RuntimeDirectory: 'r' }).runtime).toBe('/run/r');
    expect(() => unitSettings({ StateDirectory: 'x y' }, options)).toThrow(/STATE_DIRECTORY: it holds/);
  });

  it('reads what systemctl and the files say', () => {
    expect(commandOf('{ path=/bin/a ; argv[]=/bin/a run ; ignore_errors=no ; pid=1 }')).toEqual([
      '/bin/a',
      'run',
    ]);
    expect(environmentOf('A=b "C=d e" F=g\\ h')).toEqual({ A: 'b', C: 'd e', F: 'g h' });
    const named = (words: string) =>
      namedConfiguration(`{ path=a ; argv[]=/bin/a run${words} ; ignore_errors=no ; }`);
    expect(named('')).toBeNull();
    expect(named(' --config /etc/a b/c.toml --instance x')).toBe('/etc/a b/c.toml');
    expect(named(' --instance x --config=/etc/c.toml')).toBe('/etc/c.toml');
    expect(
      journaldSettings('[Journal]\n#Storage=none\nStorage=auto\n# /etc/x\nStorage = volatile\n'),
    ).toEqual({
      Storage: 'volatile',
    });
    expect(startDurations([{ at: 5, kind: 'started', text: '', invocation: 'a' }])).toEqual([]);
  });
});

it('names the recovery of the instance’s own store', () => {
  const facts = { ...healthy, ...withStore(known({ errors: ['row missing'] })), instance: 't2' };
  const found = examine(facts as DoctorFacts).find(({ check }) => check === 'store');
  expect(found?.mend?.text).toContain('(sd-gateway store recover --instance t2)');
});
