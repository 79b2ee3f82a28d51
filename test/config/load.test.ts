import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigurationError, loadConfiguration } from '../../src/config/load.js';
import { restartNeeded } from '../../src/config/schema.js';
import { settings } from '../../src/config/settings.js';
import { near } from '../fuzz/near.js';
import { unicodeText } from '../fuzz/unicode-text.js';
import { propertyRuns, propertyTimeoutMs } from '../support/properties.js';
import { nearToml, tomlValue } from './near-toml.js';

let directory: string;
let file: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-config-'));
  file = join(directory, 'sd-gateway.toml');
});
afterAll(() => rmSync(directory, { recursive: true }));

function load(text: string | null, environment: NodeJS.ProcessEnv = {}) {
  if (text !== null) writeFileSync(file, text);
  return loadConfiguration({ file: text === null ? null : file, required: true, environment });
}

function problems(text: string | null, environment: NodeJS.ProcessEnv = {}): string[] {
  try {
    load(text, environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map(({ where, message }) => `${where.replace(`${directory}/`, '')}: ${message}`);
  }
}

describe('the configuration', () => {
  it('has a default for every key', () => {
    const { configuration, warnings, file: read } = load(null);
    expect({ warnings, read }).toEqual({ warnings: [], read: null });
    for (const { path, types } of settings) {
      if (types !== null && !types.includes(configuration.agent.type)) continue;
      let value: unknown = configuration;
      for (const key of path) value = (value as Record<string, unknown>)[key];
      expect([path, value === undefined]).toEqual([path, false]);
    }
    expect(configuration.stop.drain).toBe(30_000);
    expect(configuration.dispatch.concurrency).toBe(8);
    expect(configuration.http.listen).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 8733 });
    expect(configuration.delivery.allow).toEqual([]);
  });

  it('is read from TOML', () => {
    const { configuration } = load(`supervisor = "container"
http.listen = "unix:/run/x.sock"
[stop]
drain = "1min 30s"
[dispatch]
retry_delay = 0.5
[agent]
type = "command"
command = ["/bin/cat", "-u"]
reply_limit = "2M"
`);
    expect(configuration).toMatchObject({
      supervisor: 'container',
      http: { listen: { kind: 'unix', path: '/run/x.sock' } },
      stop: { drain: 90_000 },
      dispatch: { retry_delay: 500 },
      agent: { type: 'command', command: ['/bin/cat', '-u'], reply_limit: 2 * 1024 ** 2 },
    });
  });

  it('takes the environment before the file', () => {
    const { configuration, warnings } = load('[stop]\ndrain = 1\n[log]\nlevel = "err"\n', {
      SD_GATEWAY_STOP_DRAIN: '2s',
      SD_GATEWAY_DELIVERY_ALLOW: '127.0.0.0/8, ::1/128',
      SD_GATEWAY_AGENT_COMMAND: '["/bin/sh", "-c", "echo a, b"]',
      SD_GATEWAY_DISPATCH_CONCURRENCY: '3',
      SD_GATEWAY_LOG_BODIES: 'yes',
      SD_GATEWAY_LOG_LEVEL: '',
      SD_GATEWAY_TOKEN: 'secret',
    });
    expect(configuration).toMatchObject({
      stop: { drain: 2_000 },
      delivery: { allow: ['127.0.0.0/8', '::1/128'] },
      agent: { command: ['/bin/sh', '-c', 'echo a, b'] },
      dispatch: { concurrency: 3 },
      log: { bodies: true, level: 'err' },
    });
    expect(warnings).toEqual([]);
  });

  it.each([
    ['', 'echo'],
    ['[agent]\ntimeout = 3', 'echo'],
    ['[agent]\ncommand = ["/bin/cat"]', 'command'],
    ['agent = { command = ["/bin/cat"], retry = "never" }', 'command'],
  ])('takes the type of the agent from its keys: %s', (text, type) => {
    expect(load(text).configuration.agent.type).toBe(type);
  });

  it('has agents, and routes to them, by name', () => {
    const { configuration } = load(`[agent]
retry = "never"
[agents.fast]
command = ["/bin/cat"]
[[route]]
channel = "http"
prefix = "tg:"
agent = "fast"
[[route]]
agent = "default"
`);
    expect(configuration.agents).toMatchObject({
      default: { type: 'echo', retry: 'never' },
      fast: { type: 'command', command: ['/bin/cat'], timeout: 300_000 },
    });
    expect(configuration.agent).toBe(configuration.agents.default);
    expect(configuration.route).toEqual([
      { channel: 'http', prefix: 'tg:', agent: 'fast' },
      { agent: 'default' },
    ]);
    expect(load(null).configuration).toMatchObject({ agents: { default: { type: 'echo' } }, channels: {} });
  });

  it('has the environment override the default agent, however the file calls it', () => {
    const environment = { SD_GATEWAY_AGENT_TIMEOUT: '7s' };
    const text = '[agents.default]\ncommand = ["/bin/cat"]\n';
    expect(load(text, environment).configuration.agents.default).toMatchObject({
      type: 'command',
      timeout: 7_000,
    });
    expect(problems(text, { SD_GATEWAY_AGENT_TIMEOUT: 'soon' })).toEqual([
      'SD_GATEWAY_AGENT_TIMEOUT: agents.default.timeout: must be a number of seconds or a time span such as "30s" or "5min"',
    ]);
    expect(load(null, { SD_GATEWAY_AGENTS_FAST_TYPE: 'echo' }).warnings).toEqual([
      expect.stringContaining('SD_GATEWAY_AGENTS_FAST_TYPE is no setting'),
    ]);
  });

  it('has the environment give a table as JSON', () => {
    const { agent } = load(null, {
      SD_GATEWAY_AGENT_TYPE: 'openai',
      SD_GATEWAY_AGENT_BASE_URL: 'http://127.0.0.1:11434/v1/',
      SD_GATEWAY_AGENT_MODEL: 'small',
      SD_GATEWAY_AGENT_PARAMETERS: '{"temperature": 0.2, "stop": ["a"]}',
    }).configuration;
    expect(agent).toMatchObject({
      type: 'openai',
      base_url: 'http://127.0.0.1:11434/v1',
      history_messages: 40,
      history_bytes: 32_768,
      key_file: null,
      parameters: { temperature: 0.2, stop: ['a'] },
    });
  });

  it('is read behind a byte order mark', () => {
    expect(load('\ufeff[stop]\ndrain = 5\n').configuration.stop.drain).toBe(5_000);
    expect(problems('\ufefflisen = 1')).toEqual(['sd-gateway.toml:1:1: unknown key "lisen"']);
  });

  it('warns of an environment variable that is no setting', () => {
    expect(load(null, { SD_GATEWAY_HTTP_LISEN: 'x' }).warnings).toEqual([
      'The environment variable SD_GATEWAY_HTTP_LISEN is no setting and has no effect; did you mean SD_GATEWAY_HTTP_LISTEN?',
    ]);
  });

  it.each<[string, NodeJS.ProcessEnv, string[]]>([
    ['lisen = 1', {}, ['sd-gateway.toml:1:1: unknown key "lisen"']],
    [
      '[http]\n\nlisen = 1',
      {},
      ['sd-gateway.toml:3:1: unknown key "lisen" in [http]; did you mean "listen"?'],
    ],
    ['[htp]\nlisten = 1', {}, ['sd-gateway.toml:1:1: unknown key "htp"; did you mean "http"?']],
    ['http = 5', {}, ['sd-gateway.toml:1:1: http: must be a table']],
    [
      '[stop]\ndrain = "soon"\nforeign_sigterm = "x"',
      {},
      [
        'sd-gateway.toml:2:1: stop.drain: must be a number of seconds or a time span such as "30s" or "5min"',
        'sd-gateway.toml:3:1: stop.foreign_sigterm: must be "fail" or "clean"',
      ],
    ],
    [
      'delivery = { allow = ["10.0.0.0/8", "10.0.0.0/33"] }',
      {},
      [
        'sd-gateway.toml:1:14: delivery.allow: "10.0.0.0/33" is not an address range in CIDR notation, such as "127.0.0.0/8" or "::1/128"',
      ],
    ],
    [
      '[store]\npath = "data/gateway.db"',
      { SD_GATEWAY_HTTP_LISTEN: '[fe80::1%eth0]:8733' },
      [
        'SD_GATEWAY_HTTP_LISTEN: http.listen: "[fe80::1%eth0]:8733" is not an address to listen on: use "127.0.0.1:8733", "[::1]:8733", "unix:/path/of/socket" or "systemd"',
        'sd-gateway.toml:2:1: store.path: "data/gateway.db" is not an absolute path, such as "/srv/gateway.db"',
      ],
    ],
    [
      '[store]\ntype = "mysql"\npath = "/srv/gateway.db"',
      {},
      ['sd-gateway.toml:2:1: store.type: must be "sqlite"'],
    ],
    [
      '[store]\ntype = "sqlite"\nkep = "1d"',
      {},
      ['sd-gateway.toml:3:1: unknown key "kep" in [store]; did you mean "keep"?'],
    ],
    [
      '[agent]\ntype = "command"',
      {},
      [
        'sd-gateway.toml:1:1: agent.command: must name a program when agent.type is "command" or "acp", such as ["/usr/bin/my-agent", "--quiet"]',
      ],
    ],
    [
      '[agent]\ncommand = "python3 my.py"',
      {},
      ['sd-gateway.toml:2:1: agent.command: must be a list, such as ["python3", "my.py"]'],
    ],
    ['[store]\ntype = "SQLite"', {}, ['sd-gateway.toml:2:1: store.type: must be "sqlite"']],
    [
      '[agent]\ntype = "comand"',
      {},
      [
        'sd-gateway.toml:2:1: agent.type: must be "echo" or "command" or "acp" or "openai" or "http"; did you mean "command"?',
      ],
    ],
    [
      '[agent]\ntype = "echo"\ntimeout = 1\ncommand = ["/bin/cat"]',
      {},
      [
        'sd-gateway.toml:4:1: "command" is no key of this type of [agent]: it needs agent.type = "command" or "acp"',
      ],
    ],
    [
      '[channels.irc]\ntype = "command"\ncommand = ["/bin/irc"]\nisolated = true',
      {},
      [
        'sd-gateway.toml:4:1: "isolated" is no key of this type of [channels.irc]: it needs channels.irc.type = "webhook" or "telegram" or "email" or "slack" or "discord" or "matrix"',
      ],
    ],
    [
      '[agent]\ntype = "echo"',
      { SD_GATEWAY_AGENT_COMMAND: '/bin/cat' },
      [
        'SD_GATEWAY_AGENT_COMMAND: "command" is no key of this type of [agent]: it needs agent.type = "command" or "acp"',
      ],
    ],
    [
      '[agent]\ntype = "openai"\nbase_url = "http://u:p@h/v1"\nkey_file = "key"\nparameters = { model = "x", seed = 1979-05-27 }',
      {},
      [
        'sd-gateway.toml:1:1: agent.model: is missing',
        'sd-gateway.toml:3:1: agent.base_url: must have no user name or password; name a key_file',
        'sd-gateway.toml:4:1: agent.key_file: "key" is not an absolute path, such as "/srv/gateway.db"',
        'sd-gateway.toml:5:29: agent.parameters.seed: must be a text, a number, true, false, a list or a table',
      ],
    ],
    [
      '[agent]\ntype = "openai"\nbase_url = "localhost:11434"\nmodel = ""\n[agent.parameters]\nmessages = []',
      {},
      [
        'sd-gateway.toml:3:1: agent.base_url: "localhost:11434" is not an http or https URL, such as "http://127.0.0.1:11434/v1"',
        'sd-gateway.toml:4:1: agent.model: must name a model, such as "llama3.2"',
        'sd-gateway.toml:6:1: agent.parameters.messages: is set by the gateway; leave it out',
      ],
    ],
    [
      '[agent]\ntype = "openai"\nbase_url = "http://h/v1/chat/completions"\nmodel = "x"',
      { SD_GATEWAY_AGENT_PARAMETERS: '{temperature: 1}' },
      [
        'SD_GATEWAY_AGENT_PARAMETERS: must be a JSON object, such as {"temperature": 0.2}',
        'sd-gateway.toml:3:1: agent.base_url: must end before "/chat/completions"',
      ],
    ],
    [
      '[log]\nlevel = "warn"\nbodies = "yes"\n[dispatch]\nconcurrency = 0\nmax_attempts = 1.5\nlease = true',
      {},
      [
        'sd-gateway.toml:2:1: log.level: must be "debug", "info", "notice", "warning" or "err"; did you mean "warning"?',
        'sd-gateway.toml:3:1: log.bodies: must be true or false',
        'sd-gateway.toml:5:1: dispatch.concurrency: must be at least 1',
        'sd-gateway.toml:6:1: dispatch.max_attempts: must be a whole number',
        'sd-gateway.toml:7:1: dispatch.lease: must be a number of seconds or a time span such as "30s" or "5min"',
      ],
    ],
    ['agents = 1', {}, ['sd-gateway.toml:1:1: agents: must be a table of tables']],
    [
      '[agents.fast]\ncomand = ["/bin/cat"]\n[agents.slow]\ntype = "comand"',
      {},
      [
        'sd-gateway.toml:2:1: unknown key "comand" in [agents.fast]; did you mean "command"?',
        'sd-gateway.toml:4:1: agents.slow.type: must be "echo" or "command" or "acp" or "openai" or "http"; did you mean "command"?',
      ],
    ],
    [
      '[agents.fast]\ntype = "echo"\ncommand = ["/bin/cat"]',
      {},
      [
        'sd-gateway.toml:3:1: "command" is no key of this type of [agents.fast]: it needs agents.fast.type = "command" or "acp"',
      ],
    ],
    [
      '[agents."A b"]',
      {},
      [
        'sd-gateway.toml:1:1: "A b" can\'t be a name in [agents]: a name begins with a lower-case letter and has at most 32 of the characters a-z, 0-9, "_" and "-"',
      ],
    ],
    [
      '\n[agents.__proto__]\n[channels.http]',
      {},
      [
        'sd-gateway.toml:2:1: agents.__proto__: a name begins with a lower-case letter and has at most 32 of the characters a-z, 0-9, "_" and "-"',
        'sd-gateway.toml:3:1: "http" can\'t be a name in [channels]: this name stands for a part of the gateway; choose another one',
      ],
    ],
    [
      '[agent]\nretry = "never"\n[agents.default]\ntype = "echo"',
      {},
      [
        'sd-gateway.toml:3:1: agents.default: [agent] and [agents.default] are one table: write its keys into one of them',
      ],
    ],
    [
      '[agents.fast]\n[[route]]\nchannel = "htp"\nagent = "fats"\n[[route]]\nsender = ""\n[[route]]\nagnt = "fast"\nagent = "fast"',
      {},
      [
        'sd-gateway.toml:5:1: route.agent: is missing',
        'sd-gateway.toml:6:1: route.sender: must not be empty',
        'sd-gateway.toml:8:1: unknown key "agnt" in [route]; did you mean "agent"?',
      ],
    ],
    [
      '[agents.fast]\n[[route]]\nchannel = "htp"\nagent = "fats"\n[[route]]\nagent = "other"',
      {},
      [
        'sd-gateway.toml:3:1: route.channel: there is no channel "htp"; did you mean "http"?',
        'sd-gateway.toml:4:1: route.agent: there is no agent "fats"; did you mean "fast"?',
        'sd-gateway.toml:6:1: route.agent: there is no agent "other"; add [agents.other], or name another one',
      ],
    ],
    ['[route]\nagent = "fast"', {}, ['sd-gateway.toml:1:1: route: is a list of tables: write [[route]]']],
    ['a = ', {}, ['sd-gateway.toml:1:5: no valid TOML: the value is missing behind "="']],
    [
      '[stop]\ndrain = 1\ndrain = 2',
      {},
      ['sd-gateway.toml:3:1: no valid TOML: this key or table is there twice; keep one of them'],
    ],
    [
      '',
      {
        SD_GATEWAY_STOP_DRAIN: 'soon',
        SD_GATEWAY_DISPATCH_CONCURRENCY: 'many',
        SD_GATEWAY_LOG_BODIES: 'perhaps',
      },
      [
        'SD_GATEWAY_DISPATCH_CONCURRENCY: must be a number, not "many"',
        'SD_GATEWAY_LOG_BODIES: must be "true" or "false", not "perhaps"',
        'SD_GATEWAY_STOP_DRAIN: stop.drain: must be a number of seconds or a time span such as "30s" or "5min"',
      ],
    ],
    [
      '',
      { SD_GATEWAY_AGENT_COMMAND: '["a"' },
      ['SD_GATEWAY_AGENT_COMMAND: must be a JSON array such as ["a", "b"], or words separated by commas'],
    ],
  ])('%j with %j is refused, each problem with its place', (text, environment, expected) => {
    expect(problems(text, environment)).toEqual(expected);
  });

  it('tells a missing file apart from one that was not asked for', () => {
    const missing = join(directory, 'missing.toml');
    expect(loadConfiguration({ file: missing, required: false, environment: {} }).file).toBeNull();
    expect(() => loadConfiguration({ file: missing, required: true, environment: {} })).toThrow(
      /missing\.toml: can't be read: there is no such file/,
    );
    expect(() => loadConfiguration({ file: directory, required: false, environment: {} })).toThrow(
      /is a directory, no regular file/,
    );
  });

  it.each([true, false])('takes a link that leads nowhere for no missing file; named: %s', (required) => {
    const gone = join(directory, 'not-mounted');
    const link = join(directory, 'link.toml');
    const folder = join(directory, 'folder');
    symlinkSync(join(gone, 'sd-gateway.toml'), link);
    symlinkSync(gone, folder);
    const read = (path: string) => loadConfiguration({ file: path, required, environment: {} });
    expect(() => read(link)).toThrow(
      `${link}: is a link to ${join(gone, 'sd-gateway.toml')}, which is not there`,
    );
    expect(() => read(join(folder, 'x.toml'))).toThrow(`${folder} is a link to ${gone}, which is not there`);
    rmSync(link);
    rmSync(folder);
  });

  it('waits for nobody at a pipe, and follows a link to a file', () => {
    const pipe = join(directory, 'pipe.toml');
    execFileSync('mkfifo', [pipe]);
    expect(() => loadConfiguration({ file: pipe, required: true, environment: {} })).toThrow(
      'pipe.toml: is a named pipe, no regular file; name a file',
    );
    writeFileSync(join(directory, 'real.toml'), '[stop]\ndrain = "7s"\n');
    symlinkSync('real.toml', join(directory, 'link.toml'));
    const { configuration } = loadConfiguration({
      file: join(directory, 'link.toml'),
      required: true,
      environment: {},
    });
    expect(configuration.stop.drain).toBe(7_000);
  });

  it('answers any text and any environment with a configuration or a ConfigurationError', {
    timeout: propertyTimeoutMs(60_000),
  }, () => {
    const word = fc.constantFrom(
      '[http]',
      'listen',
      '=',
      '"x"',
      '\n',
      '1',
      '[',
      ']',
      '{',
      '}',
      '.',
      'stop',
      'drain',
      "'''",
      '#',
    );
    const text = fc.oneof(
      unicodeText(),
      fc.array(word).map((words) => words.join(' ')),
    );
    const environment = fc.dictionary(
      fc.constantFrom(...settings.map(({ variable }) => variable)),
      fc.string(),
    );
    fc.assert(
      fc.property(text, environment, (written, variables) => {
        try {
          load(written, variables);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigurationError);
        }
      }),
      { numRuns: propertyRuns(100) },
    );
  });

  it('answers what is nearly right with a configuration, or with each problem’s line or variable', {
    timeout: propertyTimeoutMs(60_000),
  }, () => {
    const environment = fc.dictionary(
      fc.constantFrom(...settings.map(({ variable }) => variable)),
      fc.oneof(
        near('1min 30s', '256K', '[::1]:80', '127.0.0.0/8, ::1/128', '["/bin/cat", "-u"]', 'yes'),
        tomlValue,
      ),
      { maxKeys: 2 },
    );
    const prototype = Object.getOwnPropertyNames(Object.prototype);
    fc.assert(
      fc.property(nearToml, environment, (written, variables) => {
        try {
          load(written, variables);
        } catch (error) {
          if (!(error instanceof ConfigurationError)) throw error;
          expect(error.problems.length).toBeGreaterThan(0);
          for (const { where, message } of error.problems) {
            expect(message).not.toBe('');
            if (where in variables || where === file) continue;
            const place = /^:(\d+):(\d+)$/.exec(where.slice(file.length));
            expect([where.startsWith(file), place === null]).toEqual([true, false]);
            expect(Number(place?.[1])).toBeLessThanOrEqual(written.split('\n').length);
          }
        }
        expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(prototype);
      }),
      { numRuns: propertyRuns(150) },
    );
  });

  it.each([
    '__proto__ = 1',
    '[__proto__]\nx = 1',
    'stop.__proto__.x = 1',
    'stop = { __proto__ = 1 }',
    '[[__proto__]]',
  ])('refuses a key that JavaScript has another use for: %j', (text) => {
    expect(problems(text)).toEqual([
      expect.stringMatching(/^sd-gateway\.toml:\d+:\d+: unknown key "__proto__"/),
    ]);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  it('refuses what is nested without an end, with the place where that is known', () => {
    const nested = (levels: number) => `[stop]\ndrain = ${'['.repeat(levels)}${']'.repeat(levels)}`;
    const reason = 'no valid TOML: tables or lists are nested deeper than 100 levels';
    expect(problems(nested(500))).toEqual([`sd-gateway.toml:2:109: ${reason}`]);
    expect(problems(`${'a.'.repeat(500)}a = 1`)).toEqual([`sd-gateway.toml:1:1: ${reason}`]);
    expect(problems(nested(100_000))).toEqual([`sd-gateway.toml: ${reason}`]);
  });

  it('refuses a file that is no UTF-8, with the line', () => {
    writeFileSync(file, Buffer.from('[store]\npath = "/srv/d\xe9j\xe0"\n', 'latin1'));
    expect(() => loadConfiguration({ file, required: true, environment: {} })).toThrow(
      `${file}:2:1: no valid TOML: it is no UTF-8`,
    );
  });

  it('has polls end before the 50 to 60 s after which clients and proxies give up', () => {
    expect(load(null).configuration.http.wait_limit).toBeLessThan(50_000);
  });

  it('knows what a reload can’t change, and the documentation does', () => {
    const before = load(null).configuration;
    const after = load(`supervisor = "container"
[http]
listen = "127.0.0.1:1"
body_limit = "1M"
wait_limit = 5
[dispatch]
max_attempts = 9
retry_delay = 9
[delivery]
notices = false
[stop]
drain = 5
[store]
path = "/x"
busy_timeout = 1
keep = 0`).configuration;
    const fixed = restartNeeded(before, after);
    expect(restartNeeded(before, before)).toEqual([]);
    const text = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
    const listed = text.slice(
      text.indexOf('On `systemctl reload`'),
      text.indexOf('take effect at the next restart'),
    );
    const keys = [...listed.matchAll(/`(supervisor|\w+\.\w+)`/g)].map(([, key]) => key);
    expect(keys).toEqual(fixed);
  });
});
