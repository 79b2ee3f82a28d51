import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { run } from '../../../src/cli/install/uninstall.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';
import { seal } from '../../../src/units/unit-text.js';
import { ControlDouble } from '../control-double.js';
import { gateway } from '../operate/samples.js';
import { SystemctlDouble } from '../systemctl-double.js';

vi.mock('../../../src/cli/operate/find.js', async (original) => ({
  ...(await original<typeof import('../../../src/cli/operate/find.js')>()),
  whyNoManager: async () => null,
}));

const unit = 'sd-gateway-test.service';
let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
});
afterEach(() => {
  double.remove();
});

const uninstall = (...words: readonly string[]): Promise<number> =>
  run(parseCommand(findCommand('uninstall'), ['--user', '--instance', 'test', ...words]));

function writeUnit(): string {
  const path = join(double.units, unit);
  writeFileSync(path, seal('[Service]\nExecStart=/bin/true\n'));
  return path;
}

describe('with an instance of the package’s template', () => {
  const template = 'sd-gateway@test.service';
  const messages = () => join(double.home, 'STATE_HOME/sd-gateway-test');

  beforeEach(() => {
    mkdirSync(messages(), { recursive: true });
  });

  it.each([
    [true, 'inactive', 'enabled', 'is enabled'],
    [false, 'inactive', 'enabled', 'is enabled'],
    [false, 'active', 'disabled', 'is active'],
    [true, 'failed', 'disabled', 'is failed'],
  ])('installed: %s, nothing is purged while that is %s and %s', async (installed, active, enabled, what) => {
    const path = installed ? writeUnit() : null;
    double.says(template, { ActiveState: active }, enabled);
    expect(await uninstall('--purge', '--yes')).toBe(1);
    expect(double.said).toContain(`${template} ${what}, `);
    expect(double.said).toContain('nothing was removed; --force removes it all the same\n');
    expect(existsSync(messages())).toBe(true);
    if (path !== null) expect(existsSync(path)).toBe(true);
  });

  it.each([
    ['inactive', 'disabled', []],
    ['active', 'enabled', ['--force']],
  ])('that is %s and %s, the messages are purged with %j', async (active, enabled, words) => {
    double.says(template, { ActiveState: active }, enabled);
    expect(await uninstall('--purge', '--yes', ...words)).toBe(0);
    expect(existsSync(messages())).toBe(false);
  });

  it('the configurations go too that init has kept, and not those of others', async () => {
    const directory = join(double.home, 'CONFIG_HOME/sd-gateway');
    mkdirSync(directory, { recursive: true });
    const files = ['sd-gateway-test', 'sd-gateway-tests'].map((name) =>
      join(directory, `${name}.toml.20261130T173235`),
    );
    for (const file of files) writeFileSync(file, '');
    double.says(template, { ActiveState: 'inactive' }, 'disabled');
    expect(await uninstall('--purge', '--yes')).toBe(0);
    expect(files.map((file) => existsSync(file))).toEqual([false, true]);
  });

  it('the own unit is removed where the messages stay', async () => {
    const path = writeUnit();
    double.says(template, { ActiveState: 'active' }, 'enabled');
    expect(await uninstall()).toBe(0);
    expect(existsSync(path)).toBe(false);
    expect(existsSync(messages())).toBe(true);
  });
});

describe('a unit', () => {
  it.each(['inactive', 'failed'])(
    'that is %s and that the manager can’t load is removed without a stop',
    async (active) => {
      const path = writeUnit();
      double.says(unit, { LoadState: 'bad-setting', ActiveState: active });
      // systemd: "Unit … not loaded".
      double.refuses('stop');
      expect(await uninstall()).toBe(0);
      expect(existsSync(path)).toBe(false);
      expect(double.asked).toContain(`disable ${unit}`);
      expect(double.asked).toContain('daemon-reload');
    },
  );

  it.each(['active', 'activating'])('that is %s stays where it can’t be stopped', async (active) => {
    const path = writeUnit();
    double.says(unit, { ActiveState: active });
    double.refuses('stop');
    expect(await uninstall()).toBe(1);
    expect(double.said).toContain('could not be stopped, and stays: stop refused');
    expect(existsSync(path)).toBe(true);
  });

  it('stays where a turn of its own gateway would remove it', async () => {
    const path = writeUnit();
    double.says(unit, { ActiveState: 'active', RuntimeDirectory: 'sd-gateway-test' });
    const control = await ControlDouble.listen(
      join(double.home, 'RUNTIME_DIR/sd-gateway-test/control.sock'),
      gateway({ callerTurn: { turnId: 'turn_1', messageId: 'm1', session: 'chat' } }),
    );
    onTestFinished(() => control.close());
    expect(await uninstall()).toBe(77);
    expect(double.said).toContain('part of a turn that the gateway runs (turn_1 of session "chat"');
    expect(double.said).toContain('the stop would cut the turn off');
    expect(existsSync(path)).toBe(true);
    expect(double.asked).not.toContain(`stop ${unit}`);
  });

  it('that waits for its start is stopped', async () => {
    writeUnit();
    double.says(unit, { ActiveState: 'inactive', Job: '7' });
    expect(await uninstall()).toBe(0);
    expect(double.asked).toContain(`stop ${unit}`);
  });
});
