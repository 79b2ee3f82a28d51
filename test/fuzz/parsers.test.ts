import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { controlEvent, lineLimit } from '../../src/channels/control/protocol.js';
import { validateReplyUrl } from '../../src/gateway/delivery/addresses/target-address.js';
import { parseRetryAfter } from '../../src/gateway/delivery/schedule.js';
import { isListenerName, listenerName } from '../../src/gateway/sockets/fd-store-sockets.js';
import { lockHolder } from '../../src/linux/file-lock.js';
import { parseProcessStat } from '../../src/linux/process.js';
import { parseProperties } from '../../src/manager/service-manager.js';
import { decodeCursor, encodeCursor } from '../../src/store/pages.js';
import { StoreError } from '../../src/store/store-error.js';
import { unitOfCgroup } from '../../src/systemd/evidence.js';
import { LineSplitter } from '../../src/text/lines.js';
import { parseEnvironmentFile } from '../../src/units/unit-settings.js';
import { choicesLine, parseUnit, readChoices, unitText } from '../../src/units/unit-text.js';
import { parseTurns } from '../crash/record.js';
import { near } from './near.js';

describe('whatever bytes come from outside', () => {
  test('Retry-After is a time from now on, or none', () => {
    const header = near('120', 'Fri, 31 Dec 2027 23:59:59 GMT', 'Friday, 31-Dec-27 23:59:59 GMT');
    fc.assert(
      fc.property(header, fc.integer({ min: 0, max: 4e12 }), (text, now) => {
        const wait = parseRetryAfter(text, now);
        expect(wait === null || (Number.isFinite(wait) && wait >= 0)).toBe(true);
      }),
    );
  });

  test('an environment file gives variables with names that are ones, and its own text back', () => {
    fc.assert(
      fc.property(
        near('A=1\nB="two \\" words"\n# no\nC=\'x\\\ny\'\n', ' D = spaced  # kept\nE=a\\\nb'),
        (text) => {
          for (const name of Object.keys(parseEnvironmentFile(text))) expect(name).toMatch(/^[A-Za-z_]\w*$/);
        },
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[A-Z][A-Z0-9_]{0,20}$/), fc.string()), (variables) => {
        const quoted = Object.entries(variables).map(
          ([name, value]) => `${name}="${value.replace(/[\\"`$]/g, '\\$&')}"\n`,
        );
        expect(parseEnvironmentFile(quoted.join(''))).toEqual(variables);
      }),
    );
  });

  test('properties of a unit are those that are named', () => {
    const name = fc.oneof(
      fc.stringMatching(/^[A-Z][A-Za-z]{0,12}$/),
      fc.constantFrom('constructor', 'toString'),
    );
    const value = fc.string().filter((text) => !text.includes('\n'));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([first]) => first }), (lines) => {
        const text = lines.map(([first, second]) => `${first}=${second}\n`).join('');
        expect(parseProperties(text)).toEqual(Object.fromEntries(lines));
      }),
    );
  });

  test('a control group’s path names a unit of systemd, or none', () => {
    const path = near(
      '/system.slice/sd-gateway.service',
      '/user.slice/user-1000.slice/user@1000.service/app.slice/sd-gateway.service',
      '/user.slice/user-1000.slice/session-2.scope',
    );
    fc.assert(
      fc.property(path, (text) => {
        const { unit } = unitOfCgroup(text);
        if (unit !== null) expect(unit).toMatch(/^[A-Za-z0-9:_.\\@-]+\.(service|scope)$/);
      }),
    );
  });

  test('/proc/PID/stat is read with any name of the process, its brackets and blanks among them', () => {
    const comm = fc.string({ minLength: 1, maxLength: 15 }).filter((text) => !/[\0\n]/.test(text));
    fc.assert(
      fc.property(comm, fc.nat({ max: 4_194_304 }), (name, parent) => {
        expect(parseProcessStat(`77 (${name}) S ${parent} 77 77 0`)).toEqual({
          comm: name,
          state: 'S',
          parentPid: parent,
          processGroup: 77,
          processSession: 77,
        });
      }),
    );
    fc.assert(fc.property(near('77 (node) S 1 77 77 0 -1'), (text) => void parseProcessStat(text)));
  });

  test('/proc/locks names a process or nobody, and the one that holds the file’s lock', () => {
    const file = { dev: 0x803n, ino: 77n };
    const own = 'FLOCK  ADVISORY  WRITE 123 08:03:77 0 EOF';
    fc.assert(
      fc.property(near(`1: ${own}\n`, '2: POSIX ADVISORY READ 9 00:1a:5 0 1\n'), (text) => {
        const holder = lockHolder(text, file);
        expect(holder === null || (Number.isSafeInteger(holder) && holder > 0)).toBe(true);
      }),
    );
    // Locks of other files and kinds, and of those who wait (proc_locks(5)).
    const other = fc.constantFrom(
      'FLOCK  ADVISORY  WRITE 9 08:03:770 0 EOF',
      'FLOCK  ADVISORY  READ 9 08:04:77 0 EOF',
      'POSIX  ADVISORY  WRITE 9 08:03:77 0 EOF',
      'OFDLCK ADVISORY  READ -1 08:03:77 128 128',
      '-> FLOCK  ADVISORY  WRITE 9 08:03:77 0 EOF',
    );
    fc.assert(
      fc.property(fc.array(other), fc.array(other), (before, after) => {
        const lines = [...before, own, ...after].map((line, index) => `${index + 1}: ${line}\n`);
        expect(lockHolder(lines.join(''), file)).toBe(123);
      }),
    );
  });

  test('a cursor is one that was given, or refused', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('sessions' as const, 'messages' as const, 'dead' as const),
        fc.string(),
        (of, key) => {
          expect(decodeCursor(of, encodeCursor(of, key))).toBe(key);
        },
      ),
    );
    fc.assert(
      fc.property(near(encodeCursor('messages', '17'), encodeCursor('sessions', 'a')), (cursor) => {
        try {
          expect(encodeCursor('messages', decodeCursor('messages', cursor))).toBe(cursor);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError);
        }
      }),
    );
  });

  test('a unit file is read without anything of it being lost', () => {
    const unit = near('# by hand\n[Service]\nExecStart=/bin/a \\\n  b\n\n; no\nType = notify\n', '[Unit]\n');
    fc.assert(
      fc.property(unit, (text) => {
        expect(unitText(parseUnit(`${text}\n`))).toBe(`${text}\n`);
      }),
      { numRuns: 500 },
    );
  });

  test('the choices in a unit are read as they were written, or not at all', () => {
    const path = fc.option(fc.string(), { nil: null });
    fc.assert(
      fc.property(path, path, path, fc.string(), (configurationFile, environmentFile, runAs, node) => {
        const choices = { configurationFile, environmentFile, runAs, node };
        expect(readChoices(`[Unit]\n${choicesLine(choices)}\n`)).toEqual(choices);
      }),
    );
    const line = choicesLine({ configurationFile: '/a', environmentFile: null, runAs: null, node: '/n' });
    fc.assert(fc.property(near(line), (text) => void readChoices(text)));
  });

  test('names of kept sockets are names that sd_notify(3) takes, another one for each address', () => {
    const address = fc
      .oneof(fc.string({ minLength: 1 }), fc.string({ minLength: 300 }))
      .filter((text) => !/\p{Surrogate}/u.test(text));
    fc.assert(
      fc.property(address, address, (one, other) => {
        expect(listenerName(one)).toMatch(/^[\x21-\x39\x3b-\x7e]{1,255}$/);
        expect(isListenerName(listenerName(one))).toBe(true);
        expect(listenerName(one) === listenerName(other)).toBe(one === other);
      }),
    );
  });

  test('a reply URL that is let through is http or https, to a host that it names, without a password', () => {
    const url = near(
      'https://receiver.example/hook?a=b#c',
      'http://127.0.0.1:80/',
      'https://user:secret@[::ffff:10.0.0.1]/',
      'http://0x7f.1/',
    );
    fc.assert(
      fc.property(url, (text) => {
        if (!validateReplyUrl(text, []).ok) return;
        const { protocol, username, password, hostname } = new URL(text);
        expect(['http:', 'https:']).toContain(protocol);
        expect([username, password]).toEqual(['', '']);
        expect(hostname).not.toMatch(/^((127|10|0)(\.\d+){3}|\[::1\]|\[::ffff:.*\])$/);
      }),
      { numRuns: 500 },
    );
  });

  test('lines of the control socket come whole, however they are cut', () => {
    const lines = fc.array(
      fc.string().map((text) => text.replaceAll('\n', ' ')),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(lines, fc.array(fc.nat({ max: 40 })), (texts, cuts) => {
        const bytes = texts.map((text) => `${text}\n`).join('');
        const splitter = new LineSplitter(lineLimit);
        const got: string[] = [];
        let from = 0;
        for (const cut of [...cuts, bytes.length]) {
          got.push(...splitter.push(bytes.slice(from, from + cut)));
          from += cut;
        }
        expect(got.filter((line) => line !== '')).toEqual(texts.filter((line) => line !== ''));
      }),
    );
    fc.assert(fc.property(fc.json(), (text) => void controlEvent.safeParse(JSON.parse(text))));
  });

  test('the tester’s own records are read up to where they are whole', () => {
    const whole = 'begin a 1 1\nend a 1 1\n';
    for (let length = 0; length <= whole.length; length += 1) {
      expect(parseTurns(whole.slice(0, length)).length).toBe(whole.slice(0, length).split('\n').length - 1);
    }
  });
});
