import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';

const execute = promisify(execFile);
const checkout = fileURLToPath(new URL('../../', import.meta.url));
const build = join(checkout, 'systemd/debian/build-package.sh');
const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-deb-'));
let first = '';
let rebuilt = '';
/** Output of lintian; it takes its time while the package is tried. */
let linted: Promise<{ readonly stdout: string }>;
let second = '';
/** With the units and the postinst of 0.1.0, which had DynamicUser=. */
let former = '';

/** With little compression, which is most of what a build takes (dpkg-deb(1)). */
async function buildPackage(into: string): Promise<string> {
  const env = { ...process.env, DPKG_DEB_COMPRESSOR_LEVEL: '0' };
  const { stdout } = await execute('bash', [build, into, '1.0.0'], { env });
  return stdout.trim();
}

/** The same package as the next version of it; packing it again is quicker than building it. */
async function nextVersion(file: string): Promise<string> {
  const root = join(folder, 'next');
  const next = join(folder, basename(file).replace('1.0.0', '1.0.1'));
  await execute('dpkg-deb', ['--raw-extract', file, root]);
  await execute('sed', ['-i', 's/^Version: 1.0.0$/Version: 1.0.1/', join(root, 'DEBIAN/control')]);
  await execute('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', root, next]);
  return next;
}

/** The same program as 0.1.0's package had it. */
async function formerVersion(file: string): Promise<string> {
  const root = join(folder, 'former');
  const fixtures = join(checkout, 'test/machine/fixtures/0.1.0');
  const deb = join(folder, basename(file).replace('1.0.0', '0.1.0'));
  await execute('dpkg-deb', ['--raw-extract', file, root]);
  await execute('sed', ['-i', 's/^Version: 1.0.0$/Version: 0.1.0/', join(root, 'DEBIAN/control')]);
  for (const name of ['sd-gateway.service', 'sd-gateway@.service']) {
    const text = readFileSync(join(fixtures, name), 'utf8');
    const path = join(root, 'usr/lib/systemd/system', name);
    writeFileSync(path, text.replace(/^ExecStart=/m, 'ExecStart=/usr/bin/'));
  }
  writeFileSync(join(root, 'DEBIAN/postinst'), readFileSync(join(fixtures, 'postinst')));
  rmSync(join(root, 'usr/lib/sysusers.d'), { recursive: true });
  await execute('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', root, deb]);
  return deb;
}

/** Licence files below a folder, relative to it. */
function licencesIn(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => /^(licen[cs]e|copying|notice)/i.test(basename(path)))
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();
}

beforeAll(async () => {
  const again = join(folder, 'again');
  [first, rebuilt] = await Promise.all([buildPackage(folder), buildPackage(again)]);
  linted = execute('lintian', ['--allow-root', '--fail-on', 'none', first]);
  [second, former] = await Promise.all([nextVersion(first), formerVersion(first)]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the Debian package', () => {
  it('is the same bytes when built again', () => {
    expect(readFileSync(rebuilt).equals(readFileSync(first))).toBe(true);
  });

  it('has every licence file of the libraries in it', () => {
    const bundled = join(folder, 'next/usr/lib/sd-gateway/node_modules');
    const libraries = readdirSync(bundled).flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(bundled, name)).map((inner) => join(name, inner)) : [name],
    );
    expect(libraries).toContain('better-sqlite3');
    for (const library of libraries) {
      // Leftovers of the build of better-sqlite3 are not part of it.
      const shipped = licencesIn(join(checkout, 'node_modules', library)).filter(
        (path) => !path.startsWith('build/'),
      );
      expect({ library, files: licencesIn(join(bundled, library)) }).toEqual({ library, files: shipped });
    }
  });

  it('has the notices of what is bundled with the program', () => {
    const notices = readFileSync(join(folder, 'next/usr/lib/sd-gateway/dist/THIRD-PARTY-NOTICES.md'), 'utf8');
    for (const name of ['fastify', 'undici', 'zod']) {
      expect(notices).toMatch(
        new RegExp(`^## ${name} \\d+\\.\\d[\\s\\S]*?Permission is hereby granted`, 'm'),
      );
    }
  });

  it('names each library with its licence', () => {
    const root = join(folder, 'next/usr');
    const copyright = readFileSync(join(root, 'share/doc/sd-gateway/copyright'), 'utf8');
    const bundled = readdirSync(join(root, 'lib/sd-gateway'), { recursive: true, encoding: 'utf8' })
      .filter((path) => /(^|\/)node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
      .map((path) => `Files: usr/lib/sd-gateway/${dirname(path)}/*`);
    const named = copyright.split('\n').filter((line) => line.startsWith('Files: usr/'));
    expect(named.sort()).toEqual([...bundled, 'Files: usr/lib/sd-gateway/dist/*'].sort());
    const [, program = ''] = /\n\n(Files: \S+\/dist\/\*\n[\s\S]*?)\n\n/.exec(copyright) ?? [];
    expect(program).toMatch(/^ +Matteo Collina and Undici contributors \(undici\)$/m);
    expect(program).toMatch(/^License: Expat and /m);
    expect(program).toMatch(/^Comment: The program is bundled with .*\bundici \d/m);
    for (const [, name = ''] of copyright.matchAll(/^License: (.*)$/gm)) {
      // Each short name has its text somewhere.
      expect(copyright).toMatch(new RegExp(`^License: ${name}\n .`, 'm'));
    }
  });
});

/**
 * The machine shows the checkout where the package puts its program, which it has to make place for. Container
 * images have a policy-rc.d that forbids packages to start services; this one has a service manager. The index of man-db,
 * which is no part of the package, would be made anew at each of dpkg's steps, and take more time than all the rest.
 */
async function copyIn(machine: Machine): Promise<void> {
  await machine.check([
    'sh',
    '-c',
    'umount /usr/lib/sd-gateway && rm -f /usr/local/bin/sd-gateway /usr/sbin/policy-rc.d /var/lib/man-db/auto-update',
  ]);
  for (const file of [first, second, former]) {
    await machine.check(['sh', '-c', 'base64 -d >"$1"', 'sh', `/root/${basename(file)}`], {
      input: readFileSync(file).toString('base64'),
    });
  }
  // The package asks for Debian's nodejs. Where Node came otherwise, dpkg is told so; everything else is required.
  const known = await machine.run(['dpkg-query', '--show', 'nodejs']);
  force = known.status === 0 ? [] : ['--force-depends'];
}

let force: readonly string[] = [];

/** Gives what dpkg and the package's scripts print on standard error. */
async function install(machine: Machine, file: string): Promise<string> {
  // Without waiting for the disk after each file: the machine is thrown away.
  const words = ['--force-unsafe-io', ...force, '--install', `/root/${basename(file)}`];
  const { status, stdout, stderr } = await machine.run(['dpkg', ...words], { timeout: 80_000 });
  if (status !== 0) throw new Error(`dpkg ended with ${status}\n${stdout}${stderr}`);
  return stderr;
}

async function show(machine: Machine, property: string, unit = 'sd-gateway.service'): Promise<string> {
  return (await machine.check(['systemctl', 'show', '--value', '-p', property, unit])).trim();
}

/** The unit of "sd-gateway install --instance two". */
const two = 'sd-gateway-two.service';
/** One with a name like it, and with another program. */
const other = 'sd-gateway-other.service';

/** Installs both; the package is there. */
async function addInstances(machine: Machine): Promise<void> {
  await machine.writeFile('/etc/sd-gateway/sd-gateway-two.toml', '[http]\nlisten = "127.0.0.1:9403"\n');
  await machine.check(['sd-gateway', 'install', '--now', '--instance', 'two']);
  await machine.writeFile('/etc/sd-gateway/sd-gateway-other.toml', '# of another program\n');
  await machine.writeFile(
    `/etc/systemd/system/${other}`,
    '[Service]\nExecStart=/usr/bin/sleep infinity\nStateDirectory=sd-gateway-other\n[Install]\nWantedBy=multi-user.target\n',
  );
  await machine.check(['systemctl', 'enable', '--now', other]);
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
    expect(await show(machine(), 'User')).toBe('sd-gateway');
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
    await addInstances(machine());
    const before = await show(machine(), 'InvocationID');
    const ofTwo = await show(machine(), 'InvocationID', two);
    const unanswered = await machine().run(['sd-gateway', 'send', '--wait', '0', '--json', 'on its way']);
    expect(unanswered.status).toBe(75);
    const { id } = JSON.parse(unanswered.stdout) as { readonly id: string };
    await install(machine(), second);
    expect(await show(machine(), 'ActiveState')).toBe('active');
    expect(await show(machine(), 'InvocationID')).not.toBe(before);
    expect(await show(machine(), 'ActiveState', two)).toBe('active');
    expect(await show(machine(), 'InvocationID', two)).not.toBe(ofTwo);
    await machine().check(['touch', '/var/go']);
    const reply = await machine().check([
      'sh',
      '-c',
      'curl --silent --max-time 40 -H "Authorization: Bearer $(cat /var/lib/sd-gateway/token)" "http://127.0.0.1:8733/v1/messages/$1?wait=30"',
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

  it('is upgraded without a wait for a start that waits', async () => {
    const configuration = '/etc/sd-gateway/sd-gateway.toml';
    const before = await machine().check(['cat', configuration]);
    await machine().writeFile(configuration, `${before}[http]\nlisten = "127.0.0.1:9403"\n`);
    const stderr = await install(machine(), second);
    expect(stderr).toMatch(
      /^sd-gateway: sd-gateway\.service does not run yet, and dpkg does not wait for it\. Starting: waiting up to 5min: .*127\.0\.0\.1:9403/m,
    );
    expect(await show(machine(), 'ActiveState')).toBe('activating');
    await machine().writeFile(configuration, before);
    await machine().check(['systemctl', 'restart', 'sd-gateway.service']);
  });

  it('leaves a gateway running whose configuration can not be used', async () => {
    const configuration = '/etc/sd-gateway/sd-gateway.toml';
    const before = await machine().check(['cat', configuration]);
    const invocation = await show(machine(), 'InvocationID');
    await machine().writeFile(configuration, `bogus = 1\n${before}`);
    const stderr = await install(machine(), second);
    expect(stderr).toContain('sd-gateway.service was not restarted');
    expect(stderr).toContain('bogus');
    expect(stderr).toContain('systemctl restart sd-gateway.service');
    expect(stderr).not.toContain('Could not execute');
    expect(await show(machine(), 'InvocationID')).toBe(invocation);
    expect(await show(machine(), 'ActiveState')).toBe('active');
    await machine().writeFile(configuration, before);
    // Its files were replaced; it answers all the same.
    expect(await machine().check(['sd-gateway', 'send', 'hi'])).toBe('done\n');
    await machine().check(['systemctl', 'restart', 'sd-gateway.service']);
  });

  it('stops when it is removed, with its instances, and keeps their messages', async () => {
    await machine().check(['dpkg', '--remove', 'sd-gateway']);
    for (const unit of ['sd-gateway.service', two]) {
      expect(await show(machine(), 'ActiveState', unit)).toBe('inactive');
      expect(await show(machine(), 'Result', unit)).toBe('success');
    }
    expect(await show(machine(), 'ActiveState', other)).toBe('active');
    await machine().check(['test', '-e', '/var/lib/sd-gateway/gateway.db']);
    await machine().check(['test', '-e', '/var/lib/sd-gateway-two/gateway.db']);
  });

  it('starts what is enabled when it is installed after a removal', async () => {
    await install(machine(), second);
    expect(await show(machine(), 'UnitFileState')).toBe('enabled');
    expect(await show(machine(), 'ActiveState')).toBe('active');
    expect(await show(machine(), 'ActiveState', two)).toBe('active');
    await machine().check(['systemctl', 'disable', '--now', 'sd-gateway.service']);
    await machine().check(['dpkg', '--remove', 'sd-gateway']);
    await install(machine(), second);
    expect(await show(machine(), 'UnitFileState')).toBe('disabled');
    expect(await show(machine(), 'ActiveState')).toBe('inactive');
    await machine().check(['dpkg', '--remove', 'sd-gateway']);
  });

  it('leaves nothing when it is purged, but what is another program’s or in use', async () => {
    // A gateway that is no service holds its lock (flock(2)).
    await machine().check(['mkdir', '/var/lib/sd-gateway-held']);
    const hold = ['flock', '/var/lib/sd-gateway-held/lock', 'sleep', 'infinity'];
    await machine().check(['systemd-run', '--unit=holder', ...hold]);
    await machine().check(['sh', '-c', 'until ! flock -n /var/lib/sd-gateway-held/lock true; do :; done']);
    const { status, stderr } = await machine().run(['dpkg', '--purge', 'sd-gateway']);
    expect(status).toBe(0);
    expect(stderr).toBe(
      `sd-gateway: /var/lib/sd-gateway-held and its configuration stay, as a gateway has it in use
sd-gateway: /var/lib/sd-gateway-other and its configuration stay, as ${other} runs
`,
    );
    expect(await show(machine(), 'LoadState', two)).toBe('not-found');
    for (const file of ['lib/sd-gateway-held/lock', 'lib/sd-gateway-other'])
      await machine().check(['test', '-e', `/var/${file}`]);
    await machine().check(['test', '-e', '/etc/sd-gateway/sd-gateway-other.toml']);
    await machine().check(['systemctl', 'stop', 'holder.service']);
    await machine().check(['systemctl', 'disable', '--now', other]);
    await machine().check([
      'sh',
      '-c',
      `rm -r /var/lib/sd-gateway-held /var/lib/sd-gateway-other /etc/sd-gateway/sd-gateway-other.toml /etc/systemd/system/${other} && rmdir /etc/sd-gateway`,
    ]);
    const left = await machine().check([
      'sh',
      '-c',
      'find /usr /etc /var/lib -xdev -name "*sd-gateway*" -not -path "/var/lib/dpkg/*"; dpkg-query --show sd-gateway 2>/dev/null; true',
    ]);
    expect(left).toBe('');
    // As Debian's packages do: nobody else gets the UID, and with it what an agent has left elsewhere.
    await machine().check(['getent', 'passwd', 'sd-gateway']);
  });

  it('is upgraded from 0.1.0, whose users were dynamic, and answers what was on its way', async () => {
    await machine().check(['userdel', 'sd-gateway']);
    await machine().check(['rm', '/var/go']);
    const agent =
      '[agent]\ntype = "command"\ncommand = ["/bin/sh", "-c", "cat >/dev/null; until test -e /var/go; do sleep 0.05; done; id -un"]\n[stop]\ndrain = "0s"\n';
    const listen = (port: number) => `[http]\nlisten = "127.0.0.1:${port}"\n`;
    const gateways = [
      { unit: 'sd-gateway.service', name: 'sd-gateway', words: [], port: 8733 },
      { unit: 'sd-gateway@one.service', name: 'sd-gateway-one', words: ['--instance', 'one'], port: 9401 },
    ];
    for (const { name, port } of gateways)
      await machine().writeFile(`/etc/sd-gateway/${name}.toml`, `${agent}${listen(port)}`);
    await install(machine(), former);
    await machine().check(['systemctl', 'start', 'sd-gateway@one.service']);
    // One that is stopped leaves a link where the directory of the new one has to be.
    await machine().writeFile('/etc/sd-gateway/sd-gateway-two.toml', `${agent}${listen(9402)}`);
    await machine().check(['systemctl', 'enable', '--now', 'sd-gateway@two.service']);
    await machine().check(['systemctl', 'stop', 'sd-gateway@two.service']);
    const waiting: { readonly id: string; readonly token: string }[] = [];
    for (const { words, name } of gateways) {
      const sent = await machine().run(['sd-gateway', 'send', '--wait', '0', '--json', ...words, 'waits']);
      expect(sent.status).toBe(75);
      const token = await machine().check(['cat', `/var/lib/private/${name}/token`]);
      waiting.push({ id: (JSON.parse(sent.stdout) as { readonly id: string }).id, token });
    }

    await install(machine(), first);
    await machine().check(['touch', '/var/go']);
    for (const [index, { unit, name, port }] of gateways.entries()) {
      const { id = '', token = '' } = waiting[index] ?? {};
      const user = await machine().check(['systemctl', 'show', '-P', 'User', unit]);
      expect(user).toBe(`${name}\n`);
      expect(await machine().check(['cat', `/var/lib/${name}/token`])).toBe(token);
      const reply = await machine().check([
        'curl',
        '--silent',
        '--max-time',
        '40',
        '--header',
        `Authorization: Bearer ${token.trim()}`,
        `http://127.0.0.1:${port}/v1/messages/${id}?wait=30`,
      ]);
      expect(JSON.parse(reply)).toMatchObject({ reply: { text: name } });
    }
    await machine().check(['systemctl', 'start', 'sd-gateway@two.service']);
    expect(await machine().check(['sd-gateway', 'send', '--instance', 'two', 'hi'])).toBe('sd-gateway-two\n');
  });
});

describe('the Debian package, to lintian', () => {
  it('has no errors', async () => {
    const { stdout } = await linted;
    expect(stdout.split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
  });
});
