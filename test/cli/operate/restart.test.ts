import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { operations } from '../../../src/cli/operate/operate.js';
import { findCommand, parseCommand } from '../../../src/cli/usage.js';
import { ControlDouble } from '../control-double.js';
import { SystemctlDouble } from '../systemctl-double.js';
import { gateway } from './samples.js';

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

it.each([
  ['gone', 1],
  ['there', 0],
])('with a database that is %s a restart ends with %i', async (which, status) => {
  const there = join(double.home, 'there');
  writeFileSync(there, '');
  double.says(unit, {
    LoadState: 'loaded',
    ActiveState: 'active',
    RuntimeDirectory: 'sd-gateway-test',
    StateDirectory: 'sd-gateway-test',
    ConfigurationDirectory: 'sd-gateway-test',
  });
  const database = join(double.home, which);
  const socket = join(double.home, 'RUNTIME_DIR/sd-gateway-test/control.sock');
  const running = await ControlDouble.listen(socket, gateway({ database }));
  const words = ['--user', '--instance', 'test'];
  const ended = await operations.restart(parseCommand(findCommand('restart'), words));
  running.close();
  expect([ended, double.asked.some((line) => line.includes(' restart '))]).toEqual([status, status === 0]);
  if (status === 0) return;
  expect(double.said).toContain(
    `${database} was removed, and only the gateway still has it. Nothing was restarted.`,
  );
  expect(double.said).toContain(`systemctl --user restart ${unit}`);
});
