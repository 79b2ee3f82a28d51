import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigurationError, loadConfiguration } from '../../src/config/load.js';
import {
  commentedConfiguration,
  configurationReference,
  writtenConfiguration,
} from '../../src/config/written.js';
import { nearToml } from './near-toml.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-written-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function read(text: string) {
  const file = join(directory, 'sd-gateway.toml');
  writeFileSync(file, text);
  return loadConfiguration({ file, required: true, environment: {} }).configuration;
}

const several = `supervisor = "container"
[http]
listen = "[::1]:80"
body_limit = 1500
[dispatch]
retry_delay = 0.25
lease = "90s"
[agent]
command = ["/bin/sh", "-c", "echo \\"\\u007f\\u009b\\""]
[delivery]
allow = ["10.0.0.0/8", "::1/128"]
expire = 0
[store]
path = "/srv/x"
[agents.fast]
reply_limit = "2M"
[agents.model]
type = "openai"
base_url = "http://127.0.0.1:11434/v1/"
model = "small"
[agents.model.parameters]
temperature = 0.2
stop = ["a", "b\\n"]
stream = false
response_format = { type = "json_schema", "a key" = [{ x = 1e9 }, {}] }
[channels.github]
type = "webhook"
scheme = "github"
token_file = "/etc/github.secret"
message = "{a|\\"b\\"} {{c}}"
reply_to = { channel = "webhook", to = "https://example.org" }
[[route]]
channel = "http"
prefix = "a"
agent = "fast"
[[route]]
agent = "default"
`;

test('a configuration is written as one would write it', () => {
  const text = writtenConfiguration(read(several));
  expect(text).toMatch(/^supervisor = "container"\n\n\[http\]\nlisten = "\[::1\]:80"\nbody_limit = 1500\n/);
  expect(text).toContain('retry_delay = "250ms"\n');
  expect(text).toContain('lease = "90s"\n');
  expect(text).toContain('drain = "30s"\n');
  expect(text).toContain('expire = "0"\n');
  expect(text).toContain('allow = ["10.0.0.0/8", "::1/128"]\n');
  expect(text).toContain(String.raw`"echo \"\u007f\u009b\""`);
  expect(text).toContain('\n[agents.fast]\ntype = "echo"\n');
  expect(text).toContain('reply_limit = "2M"\n');
  expect(text).toContain('base_url = "http://127.0.0.1:11434/v1"\n');
  expect(text).toContain('history_bytes = "32K"\n');
  expect(text).toContain('reply_to = { "channel" = "webhook", "to" = "https://example.org" }\n');
  expect(text).toContain('body_limit = "1M"\n');
  expect(text).toContain(
    'parameters = { "temperature" = 0.2, "stop" = ["a", "b\\n"], "stream" = false, "response_format" = {',
  );
  expect(text).toMatch(
    /\n\[\[route\]\]\nchannel = "http"\nprefix = "a"\nagent = "fast"\n\n\[\[route\]\]\nagent = "default"\n$/,
  );
  expect(writtenConfiguration(read(''))).toContain('\n# path is unset\n');
});

test.each(['', several, '[http]\nlisten = "unix:/run/a b"', '[http]\nlisten = "systemd:x"'])(
  'what is written is read as the same: %j',
  (text) => {
    const configuration = read(text);
    expect(read(writtenConfiguration(configuration))).toEqual(configuration);
  },
);

test('whatever can be read is written so that it is read as the same', () => {
  fc.assert(
    fc.property(nearToml, (text) => {
      let configuration: ReturnType<typeof read>;
      try {
        configuration = read(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigurationError);
        return;
      }
      expect(read(writtenConfiguration(configuration))).toEqual(configuration);
    }),
    { numRuns: 300 },
  );
});

test('a commented table says what a key means for its type', () => {
  const values = { type: 'telegram', token_file: '/etc/token', pairing: false };
  const text = commentedConfiguration([
    { path: ['agent'], values: { type: 'echo' } },
    { path: ['channels', 'bot'], values },
  ]);
  expect(text).toContain('\n# "telegram" is a bot of Telegram.\ntype = "telegram"\n');
  expect(text).toMatch(/\n# File with the bot's token,.*\ntoken_file = "\/etc\/token"\n/);
  expect(text).toMatch(/\n# .*"echo" replies with.*\ntype = "echo"\n/);
  expect(read(text).channels['bot']).toMatchObject(values);
});

test('the reference has a key once for the types that share its default and its meaning, and names them', () => {
  const rows = configurationReference().split('\n');
  const rowsOf = (key: string) => rows.filter((row) => row.startsWith(`| \`[channels.NAME] ${key}\` |`));
  expect(rowsOf('retry_for')).toEqual([
    '| `[channels.NAME] retry_for` | `"1h"` | none | command, telegram, slack, discord, matrix: Time for which a reply that could not be sent is tried again. |',
    '| `[channels.NAME] retry_for` | `"1d"` | none | email: Time for which a reply that could not be sent is tried again. |',
  ]);
  const roots = rowsOf('api_root').map((row) => row.split('|')[2]);
  expect(roots).toEqual([
    ' `"https://api.telegram.org"` ',
    ' `"https://slack.com/api"` ',
    ' `"https://discord.com/api"` ',
  ]);
  expect(rowsOf('required')[0]).toContain("| none | If the channel can't be started");
  expect(rowsOf('type')).toHaveLength(1);
});
