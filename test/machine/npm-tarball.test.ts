import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnMachine } from './harness/suite.js';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-npm-'));
const prefix = join(folder, 'prefix');
const archive = join(folder, 'prefix.tar');

/** A start as long as SQLite's binary, which needs a script in Node.js 20, is not there. */
let withoutScripts = '';

// The machine has no network, so npm installs outside of it, and what it installed is taken in.
beforeAll(() => {
  const npm = (...words: readonly string[]) =>
    execFileSync('npm', words, { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  // Built already, and tested elsewhere: the tarball takes the addon's source, which is built at the install.
  npm('pack', '--ignore-scripts', '--pack-destination', folder);
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  npm(
    'install',
    '--global',
    '--prefix',
    prefix,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    join(folder, tarball),
  );
  // As their install scripts would leave them; compiling takes minutes.
  const installed = join(prefix, 'lib/node_modules/sd-gateway');
  cpSync(join(checkout, 'build/Release/sd_gateway.node'), join(installed, 'build/Release/sd_gateway.node'));
  const places = { STATE_DIRECTORY: join(folder, 'state'), RUNTIME_DIRECTORY: join(folder, 'run') };
  const { status, stderr } = spawnSync(join(prefix, 'bin/sd-gateway'), ['run'], {
    env: { ...process.env, ...places },
    encoding: 'utf8',
    timeout: 20_000,
  });
  withoutScripts = `${status}: ${stderr}`;
  const sqlite = 'node_modules/better-sqlite3-12/build/Release/better_sqlite3.node';
  cpSync(join(checkout, sqlite), join(installed, sqlite));
  execFileSync('tar', ['--create', '--file', archive, '--directory', prefix, '.']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeOnMachine('the npm tarball', (machine) => {
  it('installed with scripts off, says at a start what to run', () => {
    expect(withoutScripts).toMatch(/^78: .*npm rebuild better-sqlite3-12 --ignore-scripts=false/s);
  });

  it('has man pages, links them, and has all that the program loads', async () => {
    const user = await machine().addUser('nina', 1601);
    // Nothing of the checkout is to help.
    await machine().check(['sh', '-c', 'umount /usr/lib/sd-gateway && rm -f /usr/local/bin/sd-gateway']);
    await machine().check(
      ['sh', '-c', 'mkdir -p ~/.local && base64 -d | tar --extract --directory ~/.local'],
      { user, input: execFileSync('base64', [archive], { encoding: 'utf8', maxBuffer: 1 << 30 }) },
    );
    const home = '/home/nina/.local';
    await machine().check(['test', '-e', `${home}/share/man/man1/sd-gateway.1`], { user });
    await machine().check(['test', '-e', `${home}/share/man/man5/sd-gateway.toml.5`], { user });
    expect(await machine().check([`${home}/bin/sd-gateway`, '--version'], { user })).toMatch(
      /^sd-gateway \d/,
    );
  });

  it('is installed, started and answers for a user with linger', async () => {
    // As a login has it, with the directory of npm's prefix in its search path (~/.profile).
    const login = (script: string) =>
      machine().run(['su', '-', 'nina', '-c', `PATH="$HOME/.local/bin:$PATH"; ${script}`]);
    expect(await login('sd-gateway install && sd-gateway start && sd-gateway send hi')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/\nhi\n$/),
    });
    expect(await login('grep ^ExecStart= ~/.config/systemd/user/sd-gateway.service')).toMatchObject({
      stdout: expect.stringContaining(' /home/nina/.local/lib/node_modules/sd-gateway/dist/cli/main.js run'),
    });
    expect(await login('sd-gateway uninstall --purge --yes')).toMatchObject({ status: 0, stderr: '' });
  });
});
