import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OwnWords } from '../../../src/cli/diagnostics/own-words.js';
import { Redaction } from '../../../src/cli/diagnostics/redact.js';
import { redactedConfiguration } from '../../../src/cli/diagnostics/redact-configuration.js';
import { journalLine } from '../../../src/cli/diagnostics/redact-journal.js';
import { UnitRedaction } from '../../../src/cli/diagnostics/redact-unit.js';
import { loadConfiguration } from '../../../src/config/load.js';
import { shippedUnit } from '../../../src/units/plan.js';

const root = dirname(fileURLToPath(new URL('../../../package.json', import.meta.url)));
const words = OwnWords.read(root);

/** Text that no program has. */
const foreign = fc
  .stringMatching(/^[a-z0-9+/=_-]{8,40}$/)
  .filter((text) => /[a-z]/.test(text) && !words.isLiteral(text))
  .map((text) => `zq${text}`);

describe('the redaction of a text', () => {
  it.each([
    ['Stopped after 62 ms: planned stop by systemd (PID 1, UID 0), restart job; nothing put back', null],
    ['Ready after 312 ms: 2 sessions, 0 running, 0 waiting, 2 answered, 0 failed', null],
    ['running', null],
    ['agent: the password is hunter2', 'agent: …'],
    ['channel: Ada wrote', 'channel: …'],
    [
      'the command exited with status 3; standard error ends: no key hunter2',
      /status 3; standard error ends: …$/,
    ],
    ['https://ada:pw@host.example/hook?token=xyz', 'https://…'],
    ['http://127.0.0.1:8733', null],
    ['/home/ada/.config/sd-gateway/sd-gateway.toml:2:1', '/home/…/.config/sd-gateway/sd-gateway.toml:2:1'],
    ['sd-gateway-ada.service', 'sd-gateway-….service'],
    ['40412345', '…'],
    ['192.168.17.4', '…'],
  ])('%j', (text, expected) => {
    const shown = new Redaction(words).text(text);
    if (expected instanceof RegExp) expect(shown).toMatch(expected);
    else expect(shown).toBe(expected ?? text);
  });

  it('lets no text through that was put in, wherever it stands', () => {
    const redaction = new Redaction(words);
    fc.assert(
      fc.property(foreign, (secret) => {
        const shown = [
          redaction.text(secret),
          redaction.text(`Stopped after 62 ms: ${secret} (PID 1)`),
          redaction.text(`cannot read "${secret}", or the key is ${secret}.`),
          redaction.path(`/home/${secret}/${secret}.toml`),
          JSON.stringify(
            redaction.value({ state: secret, comm: secret, list: [secret], invocation_id: secret }),
          ),
        ];
        for (const text of shown) expect(text).not.toContain(secret);
      }),
    );
  });

  it('numbers the same name alike', () => {
    const redaction = new Redaction(words);
    expect(['a', 'b', 'a'].map((name) => redaction.label('session', name))).toEqual([
      'session-1',
      'session-2',
      'session-1',
    ]);
  });
});

describe('the redaction of a unit', () => {
  const units = new UnitRedaction(new Redaction(words), [shippedUnit('system')]);

  it('leaves the shipped unit as it is', () => {
    expect(units.text(shippedUnit('system'))).toBe(shippedUnit('system'));
  });

  it('keeps directives, numbers and switches, and no other value', () => {
    const text = [
      '# for Ada',
      '[Service]',
      'Environment="API_KEY=hunter2" SD_GATEWAY_HTTP_LISTEN=host:1',
      'SetCredential=token:hunter2',
      'User=ada',
      'MemoryMax=512M',
      'ProtectHome=no',
      'ReadWritePaths=-/srv/ada/data',
      'ExecStart=/usr/bin/node /opt/ada/dist/cli/main.js run --config /home/ada/x --token hunter2',
      '',
    ].join('\n');
    expect(units.text(text)).toBe(
      [
        '# …',
        '[Service]',
        'Environment=… SD_GATEWAY_HTTP_LISTEN=…',
        'SetCredential=…',
        'User=…',
        'MemoryMax=512M',
        'ProtectHome=no',
        'ReadWritePaths=-/srv/…',
        'ExecStart=/usr/bin/node /opt/…/dist/cli/main.js run --config /home/…',
        '',
      ].join('\n'),
    );
  });

  it('lets no value of a directive through', () => {
    const name = fc.constantFrom('Environment', 'ExecStartPre', 'Description', 'LoadCredential', 'Foo');
    fc.assert(
      fc.property(name, foreign, (directive, secret) => {
        const lines = [
          `${directive}=${secret}`,
          `${directive}=A="${secret} b" ${secret}`,
          `${secret}=1`,
          `# ${secret}`,
        ];
        expect(units.text(lines.join('\n'))).not.toContain(secret);
        expect(units.difference(lines.map((line) => `+${line}`).join('\n'))).not.toContain(secret);
      }),
    );
  });
});

describe('the redaction of a configuration', () => {
  it('keeps numbers, times, sizes and choices', () => {
    const { configuration } = loadConfiguration({
      file: fileURLToPath(new URL('./configuration.toml', import.meta.url)),
      required: true,
      environment: {},
    });
    const text = redactedConfiguration(configuration, new Redaction(words));
    expect(text).not.toMatch(/hunter2|ada|lovelace/i);
    for (const line of [
      'listen = "…:8733"',
      'concurrency = 3',
      'drain = "7s"',
      'type = "command"',
      '[channels.channels-1]',
    ])
      expect(text.split('\n')).toContain(line);
  });
});

describe('the redaction of a record', () => {
  it('keeps the listed fields alone', () => {
    const record = {
      __REALTIME_TIMESTAMP: '1764547200000000',
      MESSAGE_ID: '4dd928d77a894a47ae99ccdea6067f0d',
      MESSAGE: 'Stopped after 62 ms: planned stop by systemd (PID 1, UID 0), restart job',
      SD_GATEWAY_SESSION: 'ada',
      SD_GATEWAY_TEXT: 'hunter2',
      SD_GATEWAY_SENDER_COMM: 'hunter2',
      SD_GATEWAY_CLIENT: '192.168.17.4',
      SD_GATEWAY_EXIT_STATUS: '0',
      SD_GATEWAY_PUT_BACK: 'hunter2',
      _HOSTNAME: 'adas-laptop',
    };
    expect(JSON.parse(journalLine(record, new Redaction(words)))).toEqual({
      at: '2025-12-01T00:00:00.000Z',
      from: 'unit',
      kind: 'stopped',
      MESSAGE: record.MESSAGE,
      SD_GATEWAY_SESSION: 'session-1',
      SD_GATEWAY_SENDER_COMM: '…',
      SD_GATEWAY_EXIT_STATUS: 0,
      SD_GATEWAY_PUT_BACK: null,
    });
  });
});
