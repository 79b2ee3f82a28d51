import { describe, expect, it } from 'vitest';
import { describeObstacle, obstaclesIn } from '../../src/units/start-obstacles.js';

const unit = { path: '/u.service', text: '[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n' };

/** All but what is below /there is missing. */
const found = (...texts: readonly string[]) =>
  obstaclesIn(
    [unit, ...texts.map((text, index) => ({ path: `/${index}.conf`, text }))],
    (path) => !path.startsWith('/there'),
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

  it('have the number of the line, over lines that go on', () => {
    const text = '[Service]\nEnvironment=A=1 \\\n  B=2\nEnvironmentFile=/gone\n';
    expect(found(text)).toEqual([expect.stringMatching(/^\/0\.conf:4: EnvironmentFile=/)]);
  });
});
