import { lstatSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../src/cli/install.js';
import { findCommand, parseCommand } from '../../src/cli/usage.js';
import { SystemctlDouble } from './systemctl-double.js';

vi.mock('../../src/cli/manager-reachable.js', () => ({ whyNoManager: async () => null }));
// The home of a test is in /tmp, which the unit would hide.
vi.mock('../../src/units/visibility.js', async (original) => ({
  ...(await original<typeof import('../../src/units/visibility.js')>()),
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
