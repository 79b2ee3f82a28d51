import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { operations } from '../../../src/cli/operate/operate.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';
import { SystemctlDouble } from '../systemctl-double.js';

const unit = 'sd-gateway-test.service';
let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
});
afterEach(() => {
  double.remove();
});

it.each([
  ['[http]\nlisten = 1\n', 78, false],
  ['[http]\nlisten = "127.0.0.1:1"\n', 0, true],
])(
  'with the configuration %j a restart ends with %i, and reaches systemd: %s',
  async (text, status, asked) => {
    const file = join(double.home, 'CONFIG_HOME/sd-gateway-test/sd-gateway-test.toml');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    double.says(unit, {
      LoadState: 'loaded',
      ActiveState: 'active',
      ConfigurationDirectory: 'sd-gateway-test',
    });
    const ended = await operations.restart(
      parseCommand(findCommand('restart'), ['--user', '--instance', 'test']),
    );
    expect([ended, double.asked.some((line) => line.includes(' restart '))]).toEqual([status, asked]);
    if (asked) return;
    expect(double.said).toContain('Nothing was restarted.');
    expect(double.said).toContain(`${file}:2:1: http.listen`);
  },
);
