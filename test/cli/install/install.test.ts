import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { run } from '../../../src/cli/install/install.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';
import { ControlDouble } from '../control-double.js';
import { gateway } from '../operate/samples.js';
import { SystemctlDouble } from '../systemctl-double.js';

vi.mock('../../../src/cli/operate/find.js', async (original) => ({
  ...(await original<typeof import('../../../src/cli/operate/find.js')>()),
  whyNoManager: async () => null,
}));
// A container may let everybody have every port.
vi.mock('../../../src/channels/http/server/port-holder.js', async (original) => ({
  ...(await original<typeof import('../../../src/channels/http/server/port-holder.js')>()),
  firstUnprivilegedPort: () => 1_024,
}));
// The home of a test is in /tmp, which the unit would hide.
vi.mock('../../../src/units/paths.js', async (original) => ({
  ...(await original<typeof import('../../../src/units/paths.js')>()),
  hiddenBy: () => null,
}));

let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
});
afterEach(() => {
  double.remove();
});

const install = (...words: readonly string[]): Promise<number> =>
  run(parseCommand(findCommand('install'), ['--user', ...words]));

describe('beside an instance of the package’s template', () => {
  const template = 'sd-gateway@test.service';

  it.each([
    ['inactive', 'enabled', 'is enabled', 'disable --now'],
    ['active', 'disabled', 'is active', 'disable --now'],
    ['activating', 'enabled', 'is activating', 'disable --now'],
    ['failed', 'disabled', 'is failed', 'reset-failed'],
  ])('that is %s and %s, nothing is installed', async (active, enabled, what, verb) => {
    double.says(template, { ActiveState: active }, enabled);
    expect(await install('--instance', 'test')).toBe(1);
    expect(double.said).toContain(`${template} ${what}, `);
    expect(double.said).toContain(`"systemctl --user ${verb} ${template}"`);
    expect(double.said).toContain('nothing was changed; --force installs it all the same\n');
    expect(readdirSync(double.units)).toEqual([]);
  });

  it.each([
    [['--instance', 'test'], 'disabled', 'inactive'],
    [['--instance', 'test', '--force'], 'enabled', 'active'],
    [['--instance', 'other'], 'enabled', 'active'],
    [[], 'enabled', 'active'],
  ])('%j is installed where that is %s and %s', async (words, enabled, active) => {
    double.says(template, { ActiveState: active }, enabled);
    expect(await install(...words, '--dry-run')).toBe(0);
    expect(double.said).toContain('Would write ');
  });
});

it('with --now, a turn does not restart its own gateway', async () => {
  const unit = 'sd-gateway-test.service';
  const path = join(double.units, unit);
  const loaded = { LoadState: 'loaded', FragmentPath: path };
  double.says(unit, loaded);
  expect(await install('--instance', 'test')).toBe(0);
  const before = readFileSync(path, 'utf8');
  double.says(unit, { ...loaded, ActiveState: 'active', RuntimeDirectory: 'sd-gateway-test' }, 'enabled');
  const control = await ControlDouble.listen(
    join(double.home, 'RUNTIME_DIR/sd-gateway-test/control.sock'),
    gateway({ callerTurn: { turnId: 'turn_1', messageId: 'm1', session: 'chat' } }),
  );
  onTestFinished(() => control.close());
  const file = join(double.home, 'other.env');
  writeFileSync(file, '');
  expect(await install('--instance', 'test', '--now', '--environment-file', file)).toBe(77);
  expect(double.said).toContain('part of a turn that the gateway runs (turn_1 of session "chat"');
  expect(double.said).toContain('the restart would cut the turn off');
  expect(readFileSync(path, 'utf8')).toBe(before);
  expect(double.asked).not.toContain(`restart ${unit}`);
});

it('with --now, stops no gateway that would not come back', async () => {
  const unit = 'sd-gateway-test.service';
  const path = join(double.units, unit);
  const directories = { StateDirectory: 'sd-gateway-test', ConfigurationDirectory: 'sd-gateway-test' };
  const loaded = { LoadState: 'loaded', FragmentPath: path, ...directories };
  double.says(unit, loaded);
  expect(await install('--instance', 'test')).toBe(0);
  const before = readFileSync(path, 'utf8');
  double.says(unit, { ...loaded, ActiveState: 'active' }, 'enabled');
  const state = join(double.home, 'CONFIG_HOME/sd-gateway-test');
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'token'), '', { mode: 0o600 });
  const file = join(double.home, 'other.env');
  writeFileSync(file, '');
  expect(await install('--instance', 'test', '--now', '--environment-file', file)).toBe(78);
  expect(double.said).toMatch(/would not come back .*nothing was changed:\n {2}The token in \S+ is empty/);
  expect(readFileSync(path, 'utf8')).toBe(before);
  expect(double.asked).not.toContain(`restart ${unit}`);

  writeFileSync(join(state, 'token'), 'x'.repeat(43));
  const dropIn = join(double.home, '50-own.conf');
  writeFileSync(dropIn, '[Service]\nEnvironmentFile=/nonexistent/env\n');
  double.says(unit, { ...loaded, ActiveState: 'active', DropInPaths: dropIn }, 'enabled');
  expect(await install('--instance', 'test', '--now', '--environment-file', file)).toBe(78);
  expect(double.said).toContain(`${dropIn}:2: EnvironmentFile=/nonexistent/env keeps it from starting`);
  expect(readFileSync(path, 'utf8')).toBe(before);
});

describe('over a link, forced', () => {
  const unit = 'sd-gateway-test.service';
  const path = () => join(double.units, unit);
  const targets = ['/dev/null', '/opt/not-there/other.service'];

  it.each(targets)('to %s, puts the unit in its place', async (target) => {
    symlinkSync(target, path());
    double.says(unit, { LoadState: 'loaded', ActiveState: 'inactive', FragmentPath: path() });
    expect(await install('--instance', 'test', '--force')).toBe(0);
    expect(lstatSync(path()).isFile()).toBe(true);
  });

  it.each(targets.flatMap((target) => ['daemon-reload', 'enable'].map((verb) => [target, verb] as const)))(
    'to %s, brings it back when %s fails',
    async (target, verb) => {
      symlinkSync(target, path());
      double.says(unit, { LoadState: 'loaded', ActiveState: 'inactive', FragmentPath: path() });
      double.refuses(verb);
      expect(await install('--instance', 'test', '--force')).toBe(1);
      expect(double.said).toContain(`${verb} refused`);
      expect(readlinkSync(path())).toBe(target);
    },
  );

  it('of somebody else’s file, leaves what the link leads to alone', async () => {
    const other = join(double.home, 'other.service');
    writeFileSync(other, '[Service]\nExecStart=/bin/true\n');
    symlinkSync(other, path());
    double.says(unit, { LoadState: 'loaded', ActiveState: 'inactive', FragmentPath: path() });
    expect(await install('--instance', 'test', '--force')).toBe(0);
    expect(lstatSync(other).size).toBe('[Service]\nExecStart=/bin/true\n'.length);
  });
});

it.each([
  ['127.0.0.1:80', true],
  ['127.0.0.1:1024', false],
])('with --print, warns if a unit can’t listen there: %s', async (listen, isWarned) => {
  const file = join(double.home, 'low.toml');
  writeFileSync(file, `[http]\nlisten = "${listen}"\n`);
  expect(await install('--config', file, '--print')).toBe(0);
  expect(double.said.includes('can’t listen on port 80')).toBe(isWarned);
  expect(double.said.includes('sd-gateway.socket')).toBe(isWarned);
});
