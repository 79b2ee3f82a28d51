import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { shippedUnit } from '../../src/units/plan.js';
import { firstVersion, forInstance, renderUnit, type UnitPlan } from '../../src/units/render.js';
import { judge, parseUnit, readChoices, unitText, valueIn } from '../../src/units/unit-text.js';

const plan: UnitPlan = {
  scope: 'system',
  instance: null,
  systemdVersion: 252,
  choices: { configurationFile: null, environmentFile: null, runAs: null, node: '/usr/bin/node' },
  program: '/usr/lib/sd-gateway/dist/cli/main.js',
  searchPath: '/usr/local/bin:/usr/bin:/bin',
  defaultEnvironmentFile: '/etc/sd-gateway/sd-gateway.env',
  storeDirectory: null,
  stop: {
    drainTimeoutMs: 30_000,
    killDelayMs: 5_000,
    storeWait: { key: 'store.busy_timeout', waitMs: 5_000 },
  },
};

function render(changes: Partial<UnitPlan> = {}, choices: Partial<UnitPlan['choices']> = {}) {
  const whole = { ...plan, ...changes, choices: { ...plan.choices, ...choices } };
  return renderUnit(shippedUnit(whole.scope), whole);
}

function directives(text: string): string[] {
  return parseUnit(text).flatMap((line) => (line.kind === 'directive' ? [line.text] : []));
}

function shipped(file: string): string {
  return readFileSync(new URL(`../../systemd/${file}`, import.meta.url), 'utf8');
}

describe('a unit file', () => {
  it.each([
    'sd-gateway.service',
    'sd-gateway@.service',
    'user/sd-gateway.service',
    'user/sd-gateway@.service',
  ])('%s is read without loss', (file) => {
    expect(unitText(parseUnit(shipped(file)))).toBe(shipped(file));
  });

  it('has directives over several lines', () => {
    const lines = parseUnit('[Service]\nExecStart=/bin/a \\\n  b\n# no\nType=notify\n');
    expect(valueIn(lines, 'ExecStart')).toBe('/bin/a \\\n  b');
    expect(valueIn(lines, 'Type')).toBe('notify');
    expect(valueIn(lines, 'User')).toBeNull();
  });
});

describe('the shipped templates', () => {
  it.each(['', 'user/'])('%ssd-gateway@.service is sd-gateway.service with the instance’s name', (folder) => {
    const derived = unitText(forInstance(parseUnit(shipped(`${folder}sd-gateway.service`)), '%i'));
    expect(derived).toBe(shipped(`${folder}sd-gateway@.service`));
  });
});

describe('the order at boot', () => {
  const precursors = (text: string) => valueIn(parseUnit(text), 'After')?.split(' ') ?? [];

  it.each([
    ['sd-gateway.service', true],
    ['sd-gateway@.service', true],
    ['user/sd-gateway.service', false],
    ['user/sd-gateway@.service', false],
  ])('of %s is after the target for the clock, if its manager has one: %s', (file, waits) => {
    expect(precursors(shipped(file)).includes('time-sync.target')).toBe(waits);
  });

  it.each([
    ['system', true],
    ['user', false],
  ] as const)('of a unit rendered for the %s manager too: %s', (scope, waits) => {
    for (const instance of [null, 'one'])
      expect(precursors(render({ scope, instance }).text).includes('time-sync.target')).toBe(waits);
  });
});

describe('a rendered unit', () => {
  it('lets the gateway write where its store is', () => {
    expect(valueIn(parseUnit(render().text), 'ReadWritePaths')).toBeNull();
    const { text } = render({ storeDirectory: '/srv/my store' });
    expect(text).toContain('\nProtectSystem=strict\nReadWritePaths="/srv/my store"\n');
  });

  it('names its user as User= takes it, without quotes', () => {
    const { text } = render({}, { runAs: 'corp\\nora' });
    expect(valueIn(parseUnit(text), 'User')).toBe('corp\\nora');
    // A directory service may know such a user later.
    expect(valueIn(parseUnit(text), 'RestartPreventExitStatus')).toBe('78');
    expect(valueIn(parseUnit(render().text), 'RestartPreventExitStatus')).toBe('78 217');
  });

  it.each(['system', 'user'] as const)(
    'of the %s manager is the shipped one, but for this machine’s paths and times',
    (scope) => {
      const { text, omitted } = render({ scope });
      expect(omitted).toEqual([]);
      const before = directives(shippedUnit(scope));
      const after = directives(text);
      expect(before.filter((line) => !after.includes(line))).toEqual(['ExecStart=sd-gateway run']);
      expect(after.filter((line) => !before.includes(line))).toEqual([
        'ExecStart=/usr/bin/node /usr/lib/sd-gateway/dist/cli/main.js run',
        'SyslogIdentifier=sd-gateway',
        'Environment=PATH=/usr/local/bin:/usr/bin:/bin',
        'EnvironmentFile=-/etc/sd-gateway/sd-gateway.env',
      ]);
    },
  );

  it('is sealed, and remembers the choices', () => {
    const choices = {
      configurationFile: '/etc/a b.toml',
      environmentFile: '/etc/c.env',
      runAs: 'agent',
      node: '/opt/node/bin/node',
    };
    const { text } = render({}, choices);
    expect(judge(text)).toBe('own');
    expect(readChoices(text)).toEqual(choices);
    expect(text).toContain(
      '# To change something use a drop-in, which is kept: systemctl edit sd-gateway.service\n',
    );
    expect(render({ scope: 'user', instance: 'x' }).text).toContain(
      'systemctl --user edit sd-gateway-x.service\n',
    );
  });

  it('of an instance has directories of its own, and the common configuration directory', () => {
    const after = directives(render({ instance: 'one' }).text);
    expect(after).toContain('Description=Message gateway for agents, instance one');
    expect(after).toContain('Documentation=man:sd-gateway(1)');
    expect(after).toContain(
      'ExecStart=/usr/bin/node /usr/lib/sd-gateway/dist/cli/main.js run --instance one',
    );
    expect(after).toContain('StateDirectory=sd-gateway-one');
    expect(after).toContain('RuntimeDirectory=sd-gateway-one');
    expect(after).toContain('ConfigurationDirectory=sd-gateway');
  });

  it.each([
    [null, null, 'sd-gateway'],
    ['one', null, 'sd-gateway-one'],
    ['one', 'agent', 'agent'],
    [null, 'corp\\nora', 'corp\\nora'],
    [null, 'nora@corp%1', 'nora@corp%%1'],
  ])('of the instance %s with --run-as %s has User=%s', (instance, runAs, user) => {
    const { text } = render({ instance }, { runAs });
    expect(text.match(/^User=.*$/gm)).toEqual([`User=${user}`]);
    expect(text.includes('# Made by systemd-sysusers.')).toBe(runAs === null);
  });

  it('of a user has none', () => {
    expect(render({ scope: 'user', instance: 'one' }).text).not.toMatch(/^User=/m);
  });

  it('says itself what DynamicUser= would imply', () => {
    const implied = [
      'NoNewPrivileges=yes',
      'PrivateTmp=yes',
      'ProtectHome=yes',
      'ProtectSystem=strict',
      'RemoveIPC=yes',
      'RestrictSUIDSGID=yes',
    ];
    expect(directives(render().text)).toEqual(expect.arrayContaining(implied));
  });

  it.each([
    [
      { drainTimeoutMs: 30_000, killDelayMs: 5_000, storeWait: { key: 'store.busy_timeout', waitMs: 5_000 } },
      '60',
    ],
    [{ drainTimeoutMs: 0, killDelayMs: 0, storeWait: { key: 'store.busy_timeout', waitMs: 0 } }, '20'],
    [
      {
        drainTimeoutMs: 600_500,
        killDelayMs: 5_000,
        storeWait: { key: 'store.busy_timeout', waitMs: 5_000 },
      },
      '631',
    ],
  ])('covers a stop of %j with %s s', (stop, expected) => {
    const { text } = render({ stop });
    expect(valueIn(parseUnit(text), 'TimeoutStopSec')).toBe(expected);
    expect(text.match(/^TimeoutStopSec=/gm)).toHaveLength(1);
    expect(text).toContain(`# stop.drain ${stop.drainTimeoutMs / 1000} s, agent.kill_delay`);
    expect(text).not.toContain('The default drain');
  });

  it('has notify-reload from 253 on, and no command for the reload', () => {
    expect(directives(render({ systemdVersion: 252 }).text)).toContain('Type=notify');
    expect(directives(render({ systemdVersion: 252 }).text)).toContain('ExecReload=-/bin/kill -HUP $MAINPID');
    for (const systemdVersion of [253, 257]) {
      const { text } = render({ systemdVersion });
      expect(directives(text)).toContain('Type=notify-reload');
      expect(text).not.toContain('ExecReload');
      expect(text).not.toContain('in the middle of a reload');
    }
  });

  it('leaves out what an older systemd doesn’t know, and says what', () => {
    const { text, omitted } = render({ systemdVersion: 241 });
    expect(omitted).toContainEqual({ directive: 'PrivateIPC', since: 248 });
    expect(omitted).toContainEqual({ directive: 'ProtectClock', since: 245 });
    expect(omitted.map(({ directive }) => directive)).not.toContain('PrivateUsers');
    expect(text).not.toMatch(/^(PrivateIPC|ProtectClock|ProtectHostname)=/m);
    for (const name of directives(text).map((line) => line.split('=')[0] ?? '')) {
      expect(firstVersion(name, 'system')).toBeLessThanOrEqual(241);
    }
  });

  it('keeps a comment that is also about the next directive, and no other', () => {
    const text =
      '[Service]\n# Both.\nPrivateIPC=yes\nUMask=0077\n\n# One.\nProtectClock=yes\n\n[Install]\nWantedBy=x\n';
    const { text: rendered } = renderUnit(text, { ...plan, systemdVersion: 240 });
    expect(rendered).toContain('[Service]\n# Both.\nUMask=0077\n\n\n[Install]\n');
  });

  it.each([
    [{ node: '/opt/my node/bin/node' }, 'ExecStart="/opt/my node/bin/node" /usr/lib'],
    [{ node: '/opt/100%/node' }, 'ExecStart=/opt/100%%/node /usr/lib'],
    [{ configurationFile: '/etc/a "b" $c\\d.toml' }, ' run --config "/etc/a \\"b\\" $$c\\\\d.toml"\n'],
    [{ configurationFile: '/etc/$HOME.toml' }, ' --config "/etc/$$HOME.toml"\n'],
    [{ environmentFile: '/etc/a b%[1].env' }, 'EnvironmentFile=/etc/a b%%\\[1].env\n'],
  ])('%j is written so that nothing is expanded', (choices, expected) => {
    expect(render({}, choices).text).toContain(expected);
  });

  it.each([
    [{ node: '/opt/$x/node' }, /can’t have a "\$"/],
    [{ configurationFile: '/etc/a\nUser=root' }, /control character/],
    [{ environmentFile: '/etc/a\nUser=root' }, /control character/],
  ])('%j is refused', (choices, expected) => {
    expect(() => render({}, choices)).toThrow(expected);
  });
});
