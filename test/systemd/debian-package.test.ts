import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';

const build = fileURLToPath(new URL('../../systemd/debian/build-package.sh', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-deb-'));
let first = '';
let second = '';

function buildPackage(version: string, into = folder): string {
  return execFileSync('bash', [build, into, version], { encoding: 'utf8' }).trim();
}

beforeAll(() => {
  first = buildPackage('1.0.0');
  second = buildPackage('1.0.1');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the Debian package', () => {
  it('has no errors for lintian', () => {
    const { stdout, error } = spawnSync('lintian', ['--allow-root', '--fail-on', 'error', first], {
      encoding: 'utf8',
    });
    expect(error).toBeUndefined();
    expect(stdout.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
  });

  it('is the same bytes when built again', () => {
    const again = mkdtempSync(join(folder, 'again-'));
    expect(readFileSync(buildPackage('1.0.0', again)).equals(readFileSync(first))).toBe(true);
  });
});

/**
 * The machine shows the checkout where the package puts its program, which it has to make place for. Container
 * images have a policy-rc.d that forbids packages to start services; this one has a service manager.
 */
async function copyIn(machine: Machine): Promise<void> {
  await machine.check([
    'sh',
    '-c',
    'umount /usr/lib/sd-gateway && rm -f /usr/local/bin/sd-gateway /usr/sbin/policy-rc.d',
  ]);
  for (const file of [first, second]) {
    await machine.check(['sh', '-c', 'base64 -d >"$1"', 'sh', `/root/${basename(file)}`], {
      input: readFileSync(file).toString('base64'),
    });
  }
  // The package asks for Debian's nodejs. Where Node came otherwise, dpkg is told so; everything else is required.
  const known = await machine.run(['dpkg-query', '--show', 'nodejs']);
  force = known.status === 0 ? [] : ['--force-depends'];
}

let force: readonly string[] = [];

async function install(machine: Machine, file: string): Promise<void> {
  await machine.check(['dpkg', ...force, '--install', `/root/${basename(file)}`], { timeout: 80_000 });
}

async function show(machine: Machine, property: string): Promise<string> {
  const words = ['systemctl', 'show', '--value', '-p', property, 'sd-gateway.service'];
  return (await machine.check(words)).trim();
}

describeOnMachine('the Debian package, in its machine', (machine) => {
  it('is installed, and serves', async () => {
    await copyIn(machine());
    // Waits until a file is there, so that the test has a message on its way for as long as it wants.
    await machine().writeFile(
      '/etc/sd-gateway/sd-gateway.toml',
      `[agent]
type = "command"
command = ["/bin/sh", "-c", "cat >/dev/null; while ! test -e /var/go; do sleep 0.05; done; echo done"]
[stop]
drain = "0s"
`,
    );
    await machine().check(['touch', '/var/go']);
    await install(machine(), first);
    expect(await show(machine(), 'ActiveState')).toBe('active');
    expect(await show(machine(), 'UnitFileState')).toBe('enabled');
    expect(await machine().check(['sd-gateway', 'send', 'hi'])).toBe('done\n');
    expect((await machine().check(['sd-gateway', '--version'])).trim()).toMatch(/^sd-gateway /);
    const man = await machine().check(['man', '-w', 'sd-gateway', 'sd-gateway.toml']);
    expect(man.trim().split('\n')).toEqual([
      '/usr/share/man/man1/sd-gateway.1.gz',
      '/usr/share/man/man5/sd-gateway.toml.5.gz',
    ]);
  });

  it('is upgraded while it serves, and answers what was on its way', async () => {
    await machine().check(['rm', '/var/go']);
    const before = await show(machine(), 'InvocationID');
    const unanswered = await machine().run(['sd-gateway', 'send', '--wait', '1s', '--json', 'on its way']);
    expect(unanswered.status).toBe(75);
    const { id } = JSON.parse(unanswered.stdout) as { readonly id: string };
    await install(machine(), second);
    expect(await show(machine(), 'ActiveState')).toBe('active');
    expect(await show(machine(), 'InvocationID')).not.toBe(before);
    await machine().check(['touch', '/var/go']);
    const reply = await machine().check([
      'sh',
      '-c',
      'curl --silent --max-time 40 -H "Authorization: Bearer $(cat /var/lib/private/sd-gateway/token)" "http://127.0.0.1:8733/v1/messages/$1?wait=30"',
      'sh',
      id,
    ]);
    expect((JSON.parse(reply) as { readonly reply: { readonly text: string } }).reply.text).toBe('done');
  });

  it('stays stopped and disabled through an upgrade, where the administrator left it so', async () => {
    await machine().check(['systemctl', 'disable', '--now', 'sd-gateway.service']);
    await install(machine(), second);
    expect(await show(machine(), 'ActiveState')).toBe('inactive');
    expect(await show(machine(), 'UnitFileState')).toBe('disabled');
    await machine().check(['systemctl', 'enable', '--now', 'sd-gateway.service']);
  });

  it('stops when it is removed, and keeps its messages', async () => {
    await machine().check(['dpkg', '--remove', 'sd-gateway']);
    expect(await show(machine(), 'ActiveState')).toBe('inactive');
    expect(await show(machine(), 'Result')).toBe('success');
    await machine().check(['test', '-e', '/var/lib/private/sd-gateway/gateway.db']);
  });

  it('leaves nothing when it is purged', async () => {
    await machine().check(['dpkg', '--purge', 'sd-gateway']);
    const left = await machine().check([
      'sh',
      '-c',
      'find /usr /etc /var/lib -xdev -name "*sd-gateway*" -not -path "/var/lib/dpkg/*"; dpkg-query --show sd-gateway 2>/dev/null; true',
    ]);
    expect(left).toBe('');
  });
});
