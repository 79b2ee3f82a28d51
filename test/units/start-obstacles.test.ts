import { describe, expect, it } from 'vitest';
import { describeObstacle, obstaclesIn, placedComplaint } from '../../src/units/start-obstacles.js';

const unit = { path: '/u.service', text: '[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n' };

/** All but what is below /there is missing. */
const found = (...texts: readonly string[]) =>
  obstaclesIn(
    [unit, ...texts.map((text, index) => ({ path: `/${index}.conf`, text }))],
    (path) => !path.startsWith('/there') && path !== '/bin/true',
  ).map(describeObstacle);

describe('the lines that keep a unit from starting', () => {
  it.each([
    ['Service', 'LoadCredential=a:/gone/a', 'there is no /gone/a'],
    ['Service', 'LoadCredentialEncrypted=a:/gone/a', 'there is no /gone/a'],
    ['Service', 'EnvironmentFile=/gone', 'there is no /gone'],
    ['Service', 'EnvironmentFile="/gone"', 'there is no /gone'],
    ['Service', 'WorkingDirectory=/gone', 'there is no /gone'],
    ['Service', 'ReadWritePaths=/there -/a +/gone', 'there is no /gone'],
    ['Service', 'BindPaths=/gone:/there', 'there is no /gone'],
    ['Unit', 'AssertPathExists=/gone', 'there is no /gone'],
    ['Unit', 'AssertPathExists=!/there/it', '/there/it is there'],
    ['Unit', 'ConditionFileNotEmpty=/gone', 'there is no /gone'],
    [
      'Service',
      'MemoryDenyWriteExecute=yes',
      'Node.js can’t run under it, as V8 writes the code that it executes',
    ],
  ])('in [%s]: %s', (section, line, why) => {
    expect(found(`# first\n[${section}]\n${line}\n`)).toEqual([
      `/0.conf:3: ${line} keeps it from starting: ${why}.`,
    ]);
  });

  it.each([
    '[Service]\nLoadCredential=a:/there/a\nLoadCredential=b\nLoadCredential=c:in-the-store',
    '[Service]\nLoadCredential=a:/gone/a\nSetCredential=a:default',
    '[Service]\nEnvironmentFile=-/gone\nEnvironmentFile=/gone/*.env\nEnvironmentFile=%h/x',
    '[Service]\nReadOnlyPaths=-/gone\nWorkingDirectory=~\nWorkingDirectory=-/gone',
    '[Service]\nMemoryDenyWriteExecute=no\nAssertPathExists=/gone',
    '[Unit]\nAssertPathExists=|/gone\nConditionPathExists=!/gone\nEnvironmentFile=/gone\nAssertHost=elsewhere',
    '# [Service]\n#EnvironmentFile=/gone',
    '[Service]\nEnvironment=NODE_OPTIONS=--jitless\nMemoryDenyWriteExecute=yes',
    '[Service]\nStateDirectory=sd-gateway\nReadOnlyPaths=/there/var/lib/sd-gateway',
  ])('are none of %j', (text) => {
    expect(found(`${text}\n`)).toEqual([]);
  });

  it('are read-only paths that have the directory of the store', () => {
    const [text] = found(
      '[Service]\nStateDirectory=sd-gateway agents\n',
      '[Service]\nReadOnlyPaths=/var/lib/sd-gateway/\n',
    );
    expect(text).toContain(
      'ReadOnlyPaths=/var/lib/sd-gateway/ keeps it from starting: the gateway has to write to',
    );
  });

  it('are not those that a later file takes back', () => {
    const first = '[Service]\nEnvironmentFile=/gone\nMemoryDenyWriteExecute=yes\n';
    expect(found(first, '[Service]\nEnvironmentFile=\nMemoryDenyWriteExecute=no\n')).toEqual([]);
    expect(found(first, '[Unit]\nEnvironmentFile=\n')).toHaveLength(2);
  });

  it.each([
    ['the last of a single one', 'WorkingDirectory=/gone/a', 'WorkingDirectory=/gone/b', ['/1.conf:2']],
    ['each of a list', 'EnvironmentFile=/gone/a', 'EnvironmentFile=/gone/b', ['/0.conf:2', '/1.conf:2']],
    [
      'those behind an empty one',
      'EnvironmentFile=/gone/a',
      'EnvironmentFile=\nEnvironmentFile=/gone/b',
      ['/1.conf:3'],
    ],
    [
      'not those that one of its list takes back',
      'BindPaths=/gone/a',
      'BindReadOnlyPaths=\nBindPaths=/gone/b',
      ['/1.conf:3'],
    ],
    ['the last of a credential', 'LoadCredential=a:/gone/a', 'LoadCredential=a:/there/a', []],
    ['each credential', 'LoadCredential=a:/gone/a', 'LoadCredential=b:/gone/b', ['/0.conf:2', '/1.conf:2']],
    ['none, as the credentials are taken back', 'LoadCredential=a:/gone/a', 'LoadCredentialEncrypted=', []],
    [
      'the command that is left',
      'ExecStartPre=/gone/a',
      'ExecStartPre=\nExecStartPre=/gone/b',
      ['/1.conf:3'],
    ],
    [
      'not one of another section',
      'WorkingDirectory=/gone/a',
      '[Unit]\nWorkingDirectory=/there',
      ['/0.conf:2'],
    ],
  ])('of several files are %s', (_which, first, second, places) => {
    const texts = found(`[Service]\n${first}\n`, `[Service]\n${second}\n`);
    expect(texts.map((text) => text.split(': ')[0])).toEqual(places);
  });

  it('are none of the conditions once an empty one has taken all back, while assertions stay', () => {
    const first = '[Unit]\nConditionPathExists=/gone\nAssertPathExists=/gone\n';
    expect(found(first, '[Unit]\nConditionHost=\n')).toEqual([expect.stringContaining('/0.conf:3: Assert')]);
  });

  it.each([
    ['ExecStartPre=/gone/a --b', ['/0.conf:2']],
    ['ExecStartPost=+/gone/a', ['/0.conf:2']],
    ['ExecCondition=@/gone/a b', ['/0.conf:2']],
    ['ExecStartPre="/gone/a b" c', ['/0.conf:2']],
    ['ExecStartPre=-/gone/a', []],
    ['ExecStartPre=@-/gone/a b', []],
    ['ExecStartPre=/there/a /gone/b', []],
    ['ExecStartPre=gone', []],
    ['ExecStartPre=%h/gone', []],
    ['ExecStopPost=/gone/a', []],
    ['RootDirectory=/there\nExecStartPre=/gone/a', []],
  ])('by their program: %s', (text, places) => {
    const [unitFile] = [{ path: '/0.conf', text: `[Service]\n${text}\n` }];
    const obstacles = obstaclesIn([unitFile], (path) => !path.startsWith('/there'));
    expect(obstacles.map(({ file, line }) => `${file}:${line}`)).toEqual(places);
  });

  it('are named where systemd-analyze names the unit alone', () => {
    const files = [
      unit,
      { path: '/0.conf', text: '[Service]\nExecStartPre=/gone/a\n' },
      { path: '/1.conf', text: '[Service]\nExecStartPre=\nExecStartPre=-/gone/a b\n' },
    ];
    const why = 'is not executable: No such file or directory';
    expect(placedComplaint(`u.service: Command /gone/a ${why}`, files)).toBe(
      `/1.conf:3: Command /gone/a ${why}`,
    );
    expect(placedComplaint(`u.service: Command /bin/true ${why}`, files)).toBe(
      `/u.service:4: Command /bin/true ${why}`,
    );
    expect(placedComplaint('/1.conf:2: ignoring', files)).toBe('/1.conf:2: ignoring');
  });

  it('have the number of the line, over lines that go on', () => {
    const text = '[Service]\nEnvironment=A=1 \\\n  B=2\nEnvironmentFile=/gone\n';
    expect(found(text)).toEqual([expect.stringMatching(/^\/0\.conf:4: EnvironmentFile=/)]);
  });
});
