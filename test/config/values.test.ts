import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, editDistance, nearest } from '../../src/config/configuration-error.js';
import { configurationFile, directories, isInstanceName } from '../../src/config/directories.js';
import { hostInUrl, parseListenAddress, parseSize } from '../../src/config/values.js';
import { parseTimeSpan } from '../../src/text/time-span.js';
import { near } from '../fuzz/near.js';
import { unicodeText } from '../fuzz/unicode-text.js';

describe('values', () => {
  it.each([
    ['1024', 1024],
    ['256K', 262_144],
    ['1 MiB', 1_048_576],
    ['1.5K', 1_536],
    ['2G', 2_147_483_648],
    ['x', null],
    ['1T', null],
    ['1 toString', null],
    ['', null],
  ])('the size %j is %j bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    ['127.0.0.1:8733', { kind: 'tcp', host: '127.0.0.1', port: 8733 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['[::1]:80', { kind: 'tcp', host: '::1', port: 80 }],
    ['unix:/run/x', { kind: 'unix', path: '/run/x' }],
    ['systemd', { kind: 'systemd', name: null }],
    ['systemd:http', { kind: 'systemd', name: 'http' }],
    ['systemd:', null],
    ['unix:relative', null],
    [`unix:/${'x'.repeat(107)}`, null],
    ['127.0.0.1', null],
    ['127.0.0.1:65536', null],
    ['[127.0.0.1]:80', null],
    ['::1:80', null],
    ['a b:80', null],
    ['', null],
  ])('the address %j is %j', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  it('are numbers from 0 on and addresses, or none, whatever the text', () => {
    const text = fc.oneof(
      unicodeText(),
      near('1min 30s', '0.5', '256K', '1.5 GiB', '[::1]:8733', 'unix:/run/x', 'systemd:http', 'localhost:80'),
    );
    fc.assert(
      fc.property(text, (written) => {
        for (const number of [parseTimeSpan(written), parseSize(written)]) {
          if (number !== null) expect(number).toBeGreaterThanOrEqual(0);
        }
        const address = parseListenAddress(written);
        if (address?.kind === 'tcp') expect(new URL(`http://${hostInUrl(address.host)}:1`).port).toBe('1');
        if (address?.kind === 'unix') expect(address.path).toMatch(/^\//);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the nearest word', () => {
  it.each([
    ['lisen', 'listen'],
    ['LISTEN', 'listen'],
    ['stpo', 'stop'],
    ['entirely', null],
    ['x', null],
  ])('to %j is %j', (word, expected) => {
    expect(nearest(word, ['listen', 'stop', 'body_limit'])).toBe(expected);
  });

  it('is measured by a distance', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (from, to) => {
        expect(editDistance(from, to)).toBe(editDistance(to, from));
        expect(editDistance(from, to) === 0).toBe(from === to);
        expect(editDistance(from, to)).toBeLessThanOrEqual(Math.max(from.length, to.length));
      }),
    );
  });
});

describe('directories', () => {
  const root = { instance: null, environment: {}, scope: 'system' as const, home: '/root' };
  const person = {
    instance: null,
    environment: { XDG_RUNTIME_DIR: '/run/user/1' },
    scope: 'user' as const,
    home: '/home/p',
  };
  it.each([
    [root, ['/var/lib/sd-gateway', '/run/sd-gateway', '/etc/sd-gateway']],
    [{ ...root, instance: 'a' }, ['/var/lib/sd-gateway-a', '/run/sd-gateway-a', '/etc/sd-gateway']],
    [person, ['/home/p/.local/state/sd-gateway', '/run/user/1/sd-gateway', '/home/p/.config/sd-gateway']],
    [
      { ...person, environment: {} },
      ['/home/p/.local/state/sd-gateway', '/home/p/.local/state/sd-gateway', '/home/p/.config/sd-gateway'],
    ],
    [
      { ...person, environment: { XDG_STATE_HOME: 'relative', XDG_CONFIG_HOME: '/c' } },
      ['/home/p/.local/state/sd-gateway', '/home/p/.local/state/sd-gateway', '/c/sd-gateway'],
    ],
    [
      {
        ...root,
        environment: { STATE_DIRECTORY: '/s', RUNTIME_DIRECTORY: '/r', CONFIGURATION_DIRECTORY: '/c' },
      },
      ['/s', '/r', '/c'],
    ],
    // systemd sorts them (systemd/systemd#24783).
    [
      {
        ...root,
        environment: {
          STATE_DIRECTORY: '/var/lib/agent-cache:/var/lib/private/sd-gateway',
          RUNTIME_DIRECTORY: '/run/a:/run/sd-gateway:/run/sd-gateway-a',
          CONFIGURATION_DIRECTORY: '/etc/agent:/etc/sd-gateway',
        },
      },
      ['/var/lib/private/sd-gateway', '/run/sd-gateway', '/etc/sd-gateway'],
    ],
    [
      {
        ...root,
        instance: 'a',
        environment: {
          STATE_DIRECTORY: '/var/lib/sd-gateway:/var/lib/sd-gateway-a:/var/lib/z',
          RUNTIME_DIRECTORY: '/run/bots/sd-gateway-a:/run/sd-gateway-',
          CONFIGURATION_DIRECTORY: '/etc/agent:/etc/sd-gateway',
        },
      },
      ['/var/lib/sd-gateway-a', '/run/bots/sd-gateway-a', '/etc/sd-gateway'],
    ],
    [
      {
        ...root,
        instance: 'a',
        environment: { CONFIGURATION_DIRECTORY: '/etc/sd-gateway-a:/etc/z', STATE_DIRECTORY: '/x::/x' },
      },
      ['/x', '/run/sd-gateway-a', '/etc/sd-gateway-a'],
    ],
  ])('%#', (options, [state, runtime, configuration]) => {
    expect(directories(options)).toMatchObject({ state, runtime, configuration, credentials: null });
  });

  it.each([
    [
      null,
      '/var/lib/a:/var/lib/sd-gateway-a',
      /it holds \/var\/lib\/a, \/var\/lib\/sd-gateway-a, and none of them is called "sd-gateway"/,
    ],
    ['a', '/var/lib/b:/var/lib/sd-gateway', /none of them is called "sd-gateway-a"/],
    [null, '/x/sd-gateway:/y/sd-gateway', /more than one is called "sd-gateway"/],
  ])('are refused where nobody can tell which is the gateway’s: %s, %s', (instance, list, message) => {
    const variables = ['STATE_DIRECTORY', 'RUNTIME_DIRECTORY', 'CONFIGURATION_DIRECTORY'];
    const environment = Object.fromEntries(variables.map((name) => [name, list]));
    const find = () => directories({ ...root, instance, environment });
    expect(find).toThrow(ConfigurationError);
    expect(find).toThrow(message);
    const problem = (where: string, directive: RegExp) =>
      expect.objectContaining({ where, message: expect.stringMatching(directive) });
    const problems = [
      problem('STATE_DIRECTORY', /StateDirectory=/),
      problem('RUNTIME_DIRECTORY', /RuntimeDirectory=/),
    ];
    expect(find).toThrow(expect.objectContaining({ problems: expect.arrayContaining(problems) }));
  });

  it('names the file and the instance', () => {
    expect(configurationFile('/etc/sd-gateway', null)).toBe('/etc/sd-gateway/sd-gateway.toml');
    expect(configurationFile('/etc/sd-gateway', 'a')).toBe('/etc/sd-gateway/sd-gateway-a.toml');
    expect(['a', 'a.b_c-1', '', '..', 'a/b', 'a b', 'a:b', 'x'.repeat(65)].map(isInstanceName)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
