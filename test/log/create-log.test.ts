import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callSiteAbove, createLog, destinationFor, type LogDestination } from '../../src/log/create-log.js';
import { messageIds, recordFields } from '../../src/log/fields.js';
import { formatJsonLine, formatPrefixedLine, formatTerminalLines, type Log } from '../../src/log/log.js';
import { unicodeText } from '../fuzz/unicode-text.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-log-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const unlimited = { rate_limit_interval: 30_000, rate_limit_burst: 0 };

function written(
  destination: LogDestination,
  level: 'debug' | 'info' | 'err',
  say: (log: Log) => void,
): string {
  const path = join(directory, 'output');
  const descriptor = openSync(path, 'w');
  say(createLog({ destination, colour: false, level, standardError: descriptor, identifier: 'test' }));
  closeSync(descriptor);
  return readFileSync(path, 'utf8');
}

describe('the log', () => {
  it.each(['terminal', 'json-lines'] as const)('ends nothing where %s can’t be written to', (destination) => {
    const closed = openSync(join(directory, 'closed'), 'w');
    closeSync(closed);
    const log = createLog({
      destination,
      colour: false,
      level: 'info',
      standardError: closed,
      identifier: 'test',
    });
    expect(() => log.err('nobody hears it')).not.toThrow();
  });

  it('goes to the journal, a terminal, or a pipe', () => {
    expect(destinationFor({ journal: true, isTerminal: false })).toBe('journal');
    expect(destinationFor({ journal: false, isTerminal: true })).toBe('terminal');
    expect(destinationFor({ journal: false, isTerminal: false })).toBe('json-lines');
  });

  it('bounds a message and its fields, but not the texts that an operator wants on record', () => {
    const descriptor = openSync(join(directory, 'output'), 'w');
    const log = createLog({
      destination: 'json-lines',
      colour: false,
      level: 'info',
      standardError: descriptor,
      identifier: 'test',
      bodies: true,
    });
    const long = 'x'.repeat(100_000);
    log.err(long, { SD_GATEWAY_SESSION: long, SD_GATEWAY_TEXT: long });
    closeSync(descriptor);
    expect(JSON.parse(readFileSync(join(directory, 'output'), 'utf8'))).toMatchObject({
      message: `${'x'.repeat(16_384)}…`,
      SD_GATEWAY_SESSION: `${'x'.repeat(4_096)}…`,
      SD_GATEWAY_TEXT: long,
    });
  });

  it('leaves out what is below its level and fields that have no value', () => {
    const text = written('json-lines', 'info', (log) => {
      log.debug('no');
      log.info('yes', { SD_GATEWAY_SESSION: 'a', SD_GATEWAY_MESSAGE: null, SD_GATEWAY_ATTEMPT: 2 });
      log.err('also');
    });
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        time: expect.any(String),
        priority: 'info',
        message: 'yes',
        SD_GATEWAY_SESSION: 'a',
        SD_GATEWAY_ATTEMPT: '2',
      },
      { time: expect.any(String), priority: 'err', message: 'also' },
    ]);
  });

  it('shows texts of messages and replies only where that was asked for', () => {
    const path = join(directory, 'bodies');
    const descriptor = openSync(path, 'w');
    const log = createLog({
      destination: 'json-lines',
      colour: false,
      level: 'info',
      standardError: descriptor,
      identifier: 'test',
    });
    const say = () => {
      log.debug('A turn begins.', { SD_GATEWAY_SESSION: 'a', SD_GATEWAY_TEXT: 'secret' });
      log.warning('Odd.', { SD_GATEWAY_SESSION: 'a', SD_GATEWAY_REPLY: 'secret' });
      log.debug('Nothing with a body.');
    };
    say();
    expect(readFileSync(path, 'utf8')).not.toContain('secret');
    log.configure({ level: 'info', bodies: true, ...unlimited });
    say();
    closeSync(descriptor);
    const records = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(records).toMatchObject([
      { priority: 'warning', message: 'Odd.' },
      { priority: 'info', message: 'A turn begins.', SD_GATEWAY_TEXT: 'secret' },
      { priority: 'warning', message: 'Odd.', SD_GATEWAY_REPLY: 'secret' },
    ]);
  });

  it('can be made to say more or less while it runs', () => {
    const path = join(directory, 'levels');
    const descriptor = openSync(path, 'w');
    const log = createLog({
      destination: 'json-lines',
      colour: false,
      level: 'err',
      standardError: descriptor,
      identifier: 'test',
    });
    log.warning('no');
    log.configure({ level: 'debug', bodies: false, ...unlimited });
    log.debug('yes');
    closeSync(descriptor);
    expect(readFileSync(path, 'utf8')).toContain('"yes"');
    expect(readFileSync(path, 'utf8')).not.toContain('"no"');
  });

  it('keeps a flood of one kind from drowning the rest, and counts what it left out', () => {
    const path = join(directory, 'flood');
    const descriptor = openSync(path, 'w');
    const log = createLog({
      destination: 'json-lines',
      colour: false,
      level: 'info',
      standardError: descriptor,
      identifier: 'test',
    });
    log.configure({ level: 'info', bodies: false, rate_limit_interval: 30_000, rate_limit_burst: 2 });
    for (let attempt = 1; attempt <= 10; attempt++) {
      log.warning(`Attempt ${attempt} failed: receiver ${attempt} is down`);
      log.notice('Stopping.', { MESSAGE_ID: messageIds.stopRequested });
      log.crit(`Crash ${attempt}`);
      // A record of a kind that is not written at this level, whose texts would be written with log.bodies.
      log.debug('A turn begins.', { SD_GATEWAY_TEXT: 'hello' });
    }
    log.info('Another kind.');
    log.settle();
    closeSync(descriptor);
    const records = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    const count = (text: string) => records.filter(({ message }) => message?.startsWith(text)).length;
    expect([count('Attempt'), count('Stopping'), count('Crash'), count('Another')]).toEqual([2, 10, 10, 1]);
    expect(count('8 more')).toBe(records.filter(({ message }) => message?.includes('left out')).length);
    expect(records.at(-1)).toMatchObject({
      priority: 'warning',
      message: '8 more records were left out that begin “Attempt # failed” (log.rate_limit_burst)',
      SD_GATEWAY_LEFT_OUT: '8',
    });
  });

  it('never forges a line: every record is one line of JSON, whatever it says', () => {
    fc.assert(
      fc.property(unicodeText(), unicodeText(), (message, session) => {
        const line = formatJsonLine({
          priority: 'info',
          message,
          fields: { SD_GATEWAY_SESSION: session },
          at: new Date(0),
        });
        expect(line.split('\n').length).toBe(2);
        expect(JSON.parse(line)).toMatchObject({ priority: 'info' });
      }),
    );
  });

  it('never steers a terminal', () => {
    fc.assert(
      fc.property(unicodeText(), (text) => {
        const record = {
          priority: 'info',
          message: text,
          fields: { SD_GATEWAY_SESSION: text },
          at: new Date(0),
        } as const;
        for (const line of [formatTerminalLines(record, false), formatPrefixedLine(record)]) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
          expect(line.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
        }
      }),
    );
  });

  it('is plain for a person, with the priority where it matters', () => {
    const at = new Date(2026, 0, 2, 3, 4, 5);
    const fields = { SD_GATEWAY_SESSION: 'a', SD_GATEWAY_MESSAGE: '1' };
    expect(formatTerminalLines({ priority: 'err', message: 'it\nbroke', fields, at }, false)).toBe(
      '03:04:05 err: it\n         broke (session=a message=1)\n',
    );
    expect(formatTerminalLines({ priority: 'err', message: 'x', fields: {}, at }, true)).toBe(
      '03:04:05 \u001b[31merr: x\u001b[0m\n',
    );
    expect(formatPrefixedLine({ priority: 'warning', message: 'a\nb', fields: {}, at })).toBe('<4>a\n<4>b\n');
  });
});

describe('what the journal is told', () => {
  it('has ids and fields as the journal wants them, none twice', () => {
    const ids = Object.values(messageIds);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(ids.length);
    for (const name of Object.keys(recordFields))
      expect(name).toMatch(/^(?:SD_GATEWAY_[A-Z_]{1,53}|TRACE_ID)$/);
  });
});

function said() {
  return callSiteAbove(said);
}

it('names the file, the line and the function that a record comes from', () => {
  function speaker() {
    return said();
  }
  const site = speaker();
  expect(site.CODE_FILE).toMatch(/^\/.*create-log\.test\.ts$/);
  expect(Number(site.CODE_LINE)).toBeGreaterThan(0);
  expect(site.CODE_FUNC).toBe('speaker');
});

it('leaves the depth of other stack traces alone', () => {
  const before = Error.stackTraceLimit;
  said();
  expect(Error.stackTraceLimit).toBe(before);
});
