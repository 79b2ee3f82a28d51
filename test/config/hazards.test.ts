import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { otherWriters } from '../../src/config/hazards.js';
import { loadConfiguration } from '../../src/config/load.js';

let root: string;
let directory: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sd-gateway-hazards-'));
  directory = join(root, 'etc');
  mkdirSync(directory);
  file = join(directory, 'sd-gateway.toml');
});
afterEach(() => rmSync(root, { recursive: true }));

const warningsOf = (text: string, environment: NodeJS.ProcessEnv = {}) => {
  writeFileSync(file, text);
  return loadConfiguration({ file, required: true, environment }).warnings;
};

describe('a configuration', () => {
  it.each([
    [0o644, 0o755, null],
    [0o666, 0o755, 'file'],
    [0o646, 0o755, 'file'],
    [0o644, 0o777, 'directory'],
    // As /tmp: nobody can replace the file of another user there.
    [0o644, 0o1777, null],
  ] as const)(
    'of mode %o in a directory of mode %o: a warning about the %s',
    (mode, directoryMode, about) => {
      writeFileSync(file, '');
      chmodSync(file, mode);
      chmodSync(directory, directoryMode);
      const warnings = warningsOf('');
      if (about === null) {
        expect(warnings).toEqual([]);
        return;
      }
      const part = { file, directory }[about];
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toContain(`by other users, who`);
      expect(warnings[0]).toContain(`"chmod go-w ${part}"`);
    },
  );

  it.each([
    ['beside it', undefined, 'sd-gateway.env'],
    ['that is another one', 'other.env', 'other.env'],
  ])('whose environment file, %s, others can write: a warning', (_where, named, name) => {
    const path = join(directory, name);
    writeFileSync(path, '');
    const warnings = () =>
      loadConfiguration({
        file,
        required: false,
        environment: {},
        ...(named === undefined ? {} : { environmentFile: join(directory, named) }),
      }).warnings;
    expect(warnings()).toEqual([]);
    chmodSync(path, 0o606);
    expect(warnings()).toEqual([expect.stringContaining(`${path} can be changed by other users`)]);
    writeFileSync(file, '');
    expect(warnings()).toHaveLength(1);
    // The directory of both is one hazard.
    chmodSync(path, 0o644);
    chmodSync(directory, 0o777);
    expect(warnings()).toEqual([expect.stringContaining(`"chmod go-w ${directory}"`)]);
  });

  it('that a group can write: a warning, unless it is the group of its owner alone', () => {
    expect(otherWriters({ mode: 0o664, uid: 1_000, gid: 1_000 })).toBeNull();
    expect(otherWriters({ mode: 0o664, uid: 0, gid: 0 })).toBeNull();
    expect(otherWriters({ mode: 0o644, uid: 0, gid: 100 })).toBeNull();
    expect(otherWriters({ mode: 0o664, uid: 0, gid: 100 })).toBe('the group 100');
    if (process.getuid?.() !== 0) return;
    writeFileSync(file, '');
    chmodSync(file, 0o664);
    chownSync(file, 0, 100);
    expect(warningsOf('')[0]).toContain('by the group 100, who');
  });

  const open = expect.stringMatching(/^http\.listen is .*, and the gateway has no TLS: .*reverse proxy/);
  it.each([
    ['[http]\nlisten = "0.0.0.0:8733"', [open]],
    ['[http]\nlisten = "[::]:8733"', [open]],
    ['[http]\nlisten = "127.0.0.1:8733"', []],
    ['[http]\nlisten = "unix:/run/x.sock"', []],
    ['[http]\nlisten = "systemd"', []],
    ['[http]\nlisten = "0.0.0.0:8733"\npublic_url = "https://gateway.example.org"', []],
    ['[http]\nlisten = "0.0.0.0:8733"\npublic_url = "http://gateway.example.org"', [open]],
    ['[http]\nlisten = "0.0.0.0:8733"\ntrusted_proxies = ["10.0.0.7/32"]', []],
  ])('%j: %j', (text, warnings) => {
    expect(warningsOf(text)).toEqual(warnings);
  });

  it.each([
    ['[]', 0],
    ['["10.0.0.0/8"]', 0],
    ['["0.0.0.0/0"]', 1],
    ['["::/0", "0.0.0.0/0"]', 2],
  ])('with delivery.allow = %s has %i warnings', (ranges, count) => {
    const warnings = warningsOf(`[delivery]\nallow = ${ranges}`);
    expect(warnings).toHaveLength(count);
    for (const warning of warnings) expect(warning).toMatch(/^delivery\.allow has ".*\/0": /);
  });
});

describe('a channel to which everybody may write', () => {
  const asks = '[agents.a]\ntype = "acp"\ncommand = ["a"]\nask = ["execute"]\n[[route]]\nagent = "a"\n';
  const channel = (more: string) =>
    `[channels.tg]\ntype = "telegram"\ntoken_file = "/t"\nallow = ["*"]\n${more}`;

  it.each([
    ['and answer what an agent asks', asks + channel(''), 1],
    ['where owners answer', asks + channel('approvals = "owner"'), 0],
    ['without words', asks + channel('words = false'), 0],
    ['whose agent asks nothing', channel(''), 0],
  ])('%s', (_what, text, count) => {
    const warnings = warningsOf(text).filter((warning) => warning.startsWith('channels.tg.allow has "*"'));
    expect(warnings).toHaveLength(count);
  });
});

it.each([
  ['https://gateway.example.org', 'https://gateway.example.org'],
  ['https://gateway.example.org/', 'https://gateway.example.org'],
  ['HTTPS://Gateway.example.org:8443/gw/', 'https://gateway.example.org:8443/gw'],
  ['gateway.example.org', null],
  ['ftp://gateway.example.org', null],
  ['https://gateway.example.org/?a=b', null],
  ['https://user@gateway.example.org/', null],
  ['', null],
])('http.public_url %j is %j', (value, url) => {
  writeFileSync(file, '');
  const load = () =>
    loadConfiguration({ file, required: true, environment: { SD_GATEWAY_HTTP_PUBLIC_URL: value } });
  if (url !== null || value === '') expect(load().configuration.http.public_url).toBe(url);
  else expect(load).toThrow('is not the URL of a server');
});
