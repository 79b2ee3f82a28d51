import { closeSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
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
  ['[http]\nlisten = "127.0.0.1:0"\n', 0, true],
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

it.each([
  ['of the unit', 'active', ['--user', '--instance', 'test']],
  ['in the foreground', 'inactive', ['--user', '--instance', 'test']],
])(
  'a restart %s is refused where another file is in the place of its database',
  async (_what, state, words) => {
    const database = join(double.home, 'gateway.db');
    writeFileSync(database, 'its own');
    const descriptor = openSync(database, 'r');
    onTestFinished(() => closeSync(descriptor));
    writeFileSync(join(double.home, 'other.db'), 'another');
    renameSync(join(double.home, 'other.db'), database);
    if (state === 'active') {
      double.says(unit, { LoadState: 'loaded', ActiveState: state, RuntimeDirectory: 'sd-gateway-test' });
    }
    const socket = join(double.home, 'RUNTIME_DIR/sd-gateway-test/control.sock');
    const running = await ControlDouble.listen(socket, gateway({ database, pid: process.pid }));
    onTestFinished(() => running.close());
    expect(await operations.restart(parseCommand(findCommand('restart'), words))).toBe(1);
    expect(double.said).toContain(`Another file was put in the place of the database ${database}`);
    expect(double.said).toContain('Nothing was restarted.');
  },
);

describe('a restart from which the gateway would not come back', () => {
  const words = ['--user', '--instance', 'test'];
  const directory = () => join(double.home, 'CONFIG_HOME/sd-gateway-test');

  /** Restarts a gateway with this configuration; gives the exit status, and if systemd was asked for it. */
  async function restart(configuration: string, properties: Readonly<Record<string, string>> = {}) {
    mkdirSync(directory(), { recursive: true });
    writeFileSync(join(directory(), 'sd-gateway-test.toml'), configuration);
    double.says(unit, {
      LoadState: 'loaded',
      ActiveState: 'active',
      MainPID: '999999',
      RuntimeDirectory: 'sd-gateway-test',
      StateDirectory: 'sd-gateway-test',
      ConfigurationDirectory: 'sd-gateway-test',
      ...properties,
    });
    const status = await operations.restart(parseCommand(findCommand('restart'), words));
    return [status, double.asked.some((line) => line.includes(' restart '))];
  }

  const quiet = '[http]\nlisten = "127.0.0.1:0"\n';
  const own = (name: string, text: string, mode: number) => () => {
    mkdirSync(directory(), { recursive: true });
    writeFileSync(join(directory(), name), text, { mode });
  };
  const nothing = () => undefined;
  const channel = (file: string, required: boolean) =>
    `${quiet}[channels.tg]\ntype = "telegram"\nrequired = ${required}\ntoken_file = "${file}"\n`;

  it.each<[why: string, prepare: () => void, configuration: string, text: RegExp]>([
    [
      'an open token',
      own('token', 'x'.repeat(43), 0o640),
      quiet,
      /token in .* is open to other users.*chmod 600/,
    ],
    ['an empty token', own('token', '', 0o600), quiet, /token in .* is empty; write one into it, or remove/],
    ['an open secret of webhooks', own('webhook-secret', 'x', 0o644), quiet, /webhook-secret in .* is open/],
    [
      'a limit that the unit can’t hold to',
      nothing,
      `${quiet}[agent]\ncommand = ["true"]\nmemory_max = "512M"\n`,
      /memory_max can't be held to: the unit has no Delegate=memory/,
    ],
    [
      'a required channel’s secret',
      nothing,
      channel('/nonexistent/t', true),
      /channels\.tg: \/nonexistent\/t/,
    ],
    [
      'an address of another machine',
      nothing,
      '[http]\nlisten = "203.0.113.7:8733"\n',
      /Can't listen on 203\.0\.113\.7:8733: this machine has no such address/,
    ],
    [
      'a directory that is not there',
      nothing,
      '[http]\nlisten = "unix:/nonexistent/s"\n',
      /Can't listen on unix:\/nonexistent\/s: the directory does not exist/,
    ],
  ])('is refused for %s, with what to do', async (_why, prepare, configuration, text) => {
    prepare();
    expect(await restart(configuration)).toEqual([78, false]);
    expect(double.said).toMatch(text);
    expect(double.said).toContain('the gateway would not come back. Nothing was restarted.');
    expect(double.said).toContain(`systemctl --user restart ${unit}`);
  });

  it.each<[why: string, prepare: () => void, configuration: string]>([
    ['a token that is well', own('token', 'x'.repeat(43), 0o600), quiet],
    ['a channel that the start goes on without', nothing, channel('/nonexistent/t', false)],
  ])('is not one with %s', async (_why, prepare, configuration) => {
    prepare();
    expect(await restart(configuration)).toEqual([0, true]);
  });

  /** Writes a drop-in of the unit; gives the properties of a unit that has it. */
  function dropIn(text: string): Record<string, string> {
    const path = join(double.home, '50-own.conf');
    writeFileSync(path, text);
    return { DropInPaths: path };
  }

  it.each([
    ['[Service]\nEnvironmentFile=/nonexistent/env', 'there is no /nonexistent/env'],
    ['[Service]\nRootDirectory=/nonexistent', 'there is no /nonexistent'],
    ['[Service]\nLoadCredential=token:/nonexistent/t', 'there is no /nonexistent/t'],
    ['[Service]\nExecStart=\nExecStart=/nonexistent/program run', 'there is no /nonexistent/program'],
    ['[Unit]\nConditionPathExists=/nonexistent', 'there is no /nonexistent'],
    ['[Unit]\nAssertPathExists=/nonexistent', 'there is no /nonexistent'],
  ])('is refused for %j, with its line', async (text, why) => {
    const properties = dropIn(text);
    const line = `${properties['DropInPaths']}:${text.split('\n').length}: ${text.split('\n').at(-1)}`;
    expect(await restart(quiet, properties)).toEqual([78, false]);
    expect(double.said).toContain(`${line} keeps it from starting: ${why}.`);
    expect(double.said).toContain('the gateway would not come back. Nothing was restarted.');
  });

  it('leaves lines alone that systemd has not read yet', async () => {
    const properties = dropIn('[Service]\nEnvironmentFile=/nonexistent/env');
    expect(await restart(quiet, { ...properties, NeedDaemonReload: 'yes' })).toEqual([0, true]);
  });

  it.each([
    ['token', '', 'is empty'],
    ['token', 'no token\n', 'must be of the characters'],
    ['webhook-secret', 'short', "can't be used"],
  ])('is refused for the credential %s with the text %j, whose source it names', async (id, text, why) => {
    const source = join(double.home, 'source');
    writeFileSync(source, text);
    expect(await restart(quiet, dropIn(`[Service]\nLoadCredential=${id}:${source}`))).toEqual([78, false]);
    expect(double.said).toContain(source);
    expect(double.said).toContain(why);
  });

  it('is not one with a credential that is well, whatever the files say that it replaces', async () => {
    const source = join(double.home, 'source');
    writeFileSync(source, `${'x'.repeat(43)}\n`);
    own('token', '', 0o600)();
    expect(await restart(quiet, dropIn(`[Service]\nLoadCredential=token:${source}`))).toEqual([0, true]);
  });

  it('is refused for a port that somebody else has, and not for its own', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const configuration = `[http]\nlisten = "127.0.0.1:${port}"\n`;
    expect(await restart(configuration)).toEqual([78, false]);
    expect(double.said).toMatch(/Can't listen on 127\.0\.0\.1:\d+: .*\(PID \d+\) listens there/);
    // A gateway that hangs does not say that it listens there.
    expect(await restart(configuration, { MainPID: String(process.pid) })).toEqual([0, true]);
    // The socket unit that starts it has the address.
    const triggered = { TriggeredBy: 'sd-gateway-test.socket' };
    double.says('sd-gateway-test.socket', { ActiveState: 'inactive' });
    expect((await restart(configuration, triggered))[0]).toBe(78);
    double.says('sd-gateway-test.socket', { ActiveState: 'active' });
    expect((await restart(configuration, triggered))[0]).toBe(0);
  });

  it('is refused for a port that the unit’s user may not bind', async () => {
    const configuration = '[http]\nlisten = "127.0.0.1:80"\n';
    expect(await restart(configuration, { CapabilityBoundingSet: 'cap_chown' })).toEqual([78, false]);
    expect(double.said).toContain('this user may not bind that port');
  });
});
