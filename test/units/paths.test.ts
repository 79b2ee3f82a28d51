import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deniedPart, hiddenBy, pnpmLinks, stablePath, versionManagerOf } from '../../src/units/paths.js';
import { parseEnvironmentFile } from '../../src/units/unit-settings.js';

describe('a stable path', () => {
  it.each([
    ['/usr/bin/node', null],
    ['/usr/local/bin/node', null],
    ['/opt/node-v20.19.0/bin/node', null],
    ['/home/a/.nvm/versions/node/v20.19.0/bin/node', 'nvm'],
    ['/home/a/.local/share/fnm/node-versions/v20.19.0/installation/bin/node', 'fnm'],
    ['/run/user/1000/fnm_multishells/123/bin/node', 'fnm'],
    ['/home/a/.volta/tools/image/node/20.19.0/bin/node', 'Volta'],
    ['/home/a/.asdf/installs/nodejs/20.19.0/bin/node', 'asdf'],
    ['/home/a/.local/share/mise/installs/node/20.19.0/bin/node', 'mise'],
    ['/home/linuxbrew/.linuxbrew/Cellar/node/20.19.0/bin/node', 'Homebrew'],
    ['/nix/store/abc-nodejs-20.19.0/bin/node', 'Nix'],
    ['/snap/node/9999/bin/node', 'snap'],
    ['/snap/node/current/bin/node', null],
    ['/home/a/.npm/_npx/0123/node_modules/sd-gateway/dist/cli/main.js', 'npx'],
  ])('%s belongs to %s', (path, expected) => {
    expect(versionManagerOf(path)).toBe(expected);
  });

  it('is a link to it where there is one that stays', () => {
    const cellar = '/home/linuxbrew/.linuxbrew/Cellar/node/20.19.0/bin/node';
    expect(stablePath('/usr/bin/node', ['/bin/node'])).toBe('/usr/bin/node');
    expect(stablePath(cellar, ['/home/linuxbrew/.linuxbrew/bin/node'])).toBe(
      '/home/linuxbrew/.linuxbrew/bin/node',
    );
    expect(stablePath(cellar, ['/run/user/1000/fnm_multishells/1/bin/node'])).toBe(cellar);
  });
});

describe('pnpm’s path of a package', () => {
  it.each([
    // Installed globally, and in a project.
    ['global/5', 'global/5/node_modules/sd-gateway'],
    ['project/node_modules', 'project/node_modules/sd-gateway'],
  ])('below %s that stays is %s', (root, link) => {
    const home = mkdtempSync(join(tmpdir(), 'sd-gateway-pnpm-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    const stored = join(home, root, '.pnpm/sd-gateway@0.1.0_h1/node_modules/sd-gateway');
    const program = join(stored, 'dist/cli/main.js');
    mkdirSync(dirname(program), { recursive: true });
    writeFileSync(program, '');
    expect(stablePath(program, pnpmLinks(program))).toBe(program);
    mkdirSync(dirname(join(home, link)), { recursive: true });
    symlinkSync(stored, join(home, link));
    const stable = join(home, link, 'dist/cli/main.js');
    expect(stablePath(program, pnpmLinks(program))).toBe(stable);
    expect(pnpmLinks('/usr/lib/node_modules/sd-gateway/dist/cli/main.js')).toEqual([]);
    // It belongs to another version.
    rmSync(join(home, link));
    mkdirSync(dirname(stable), { recursive: true });
    writeFileSync(stable, '');
    expect(stablePath(program, pnpmLinks(program))).toBe(program);
  });
});

describe('a path that the unit hides', () => {
  const unit = '[Service]\nProtectHome=yes\nPrivateTmp=yes\n';

  it.each([
    ['/home/nora/gw.toml', 'ProtectHome=yes'],
    ['/root/x', 'ProtectHome=yes'],
    ['/tmp/x', 'PrivateTmp=yes'],
    ['/homes/x', null],
    ['/srv/x', null],
  ])('%s: %s', (path, directive) => {
    expect(hiddenBy(unit, path)).toBe(directive);
    expect(hiddenBy('[Service]\nProtectHome=read-only\n', path)).toBeNull();
  });

  it('is hidden by way of a link, too', () => {
    const folder = mkdtempSync(join('/var', 'sd-gateway-link-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    symlinkSync('/tmp', join(folder, 'link'));
    expect(hiddenBy(unit, join(folder, 'link/not-there/x'))).toBe('PrivateTmp=yes');
  });
});

describe('an environment file', () => {
  it.each([
    ['A=1\nB=2\n', { A: '1', B: '2' }],
    ['# A=1\n; B=2\n\n  C=3', { C: '3' }],
    ['A=one two  \nB= x\n', { A: 'one two', B: 'x' }],
    ['A="one # two"\nB=\'$x \\y\'\n', { A: 'one # two', B: '$x \\y' }],
    ['A=a#b\n', { A: 'a#b' }],
    ['A="two\nlines"\nB=1', { A: 'two\nlines', B: '1' }],
    ['A=one\\\n two\n', { A: 'one two' }],
    ['A="a\\"b\\n"\n', { A: 'a"b\\n' }],
    ['A=\nB=1\n', { A: '', B: '1' }],
    ['no variable\n1A=2\nA=1\nA=2\n', { A: '2' }],
    ['', {}],
  ])('%j holds %j', (text, expected) => {
    expect(parseEnvironmentFile(text)).toEqual(expected);
  });
});

describe('what keeps a user from a file', () => {
  const stranger = { uid: 4_711, groups: [4_711] };

  it.each([
    ['read', 0o755, 0o644, null],
    ['read', 0o755, 0o640, 'file'],
    ['execute', 0o755, 0o644, 'file'],
    ['execute', 0o755, 0o755, null],
    ['read', 0o750, 0o644, 'directory'],
  ] as const)(
    'to %s it, in a directory of mode %o and of mode %o itself',
    (wanted, directoryMode, mode, denied) => {
      const root = mkdtempSync(join(tmpdir(), 'sd-gateway-denied-'));
      onTestFinished(() => rmSync(root, { recursive: true }));
      chmodSync(root, 0o755);
      const directory = join(root, 'directory');
      mkdirSync(directory);
      const file = join(directory, 'file');
      writeFileSync(file, '');
      chmodSync(file, mode);
      chmodSync(directory, directoryMode);
      const paths = { file, directory };
      expect(deniedPart(file, stranger, wanted)).toBe(denied === null ? null : paths[denied]);
      // Its group may do what the modes above let a group do; a missing file is no obstacle.
      const { gid } = statSync(file);
      if (wanted === 'read') expect(deniedPart(file, { uid: 4_711, groups: [gid] }, wanted)).toBeNull();
      expect(deniedPart(join(root, 'nothing'), stranger, wanted)).toBeNull();
      const fromHere = relative(process.cwd(), file);
      expect(deniedPart(fromHere, stranger, wanted)).toBe(
        denied === null ? null : paths[denied] === file ? fromHere : paths[denied],
      );
    },
  );
});
