import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseWebhookSecrets } from '../../../src/gateway/delivery/webhook/webhook-request.js';
import { readOrCreateSecret, SecretError, tokenForm } from '../../../src/gateway/start/secrets.js';
import { near } from '../../fuzz/near.js';
import { nearBytes } from '../../fuzz/near-bytes.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'secret-file-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

let made = 0;
const secret = (credentialsDirectory: string | null = null) =>
  readOrCreateSecret({
    credentialsDirectory,
    name: 'token',
    stateDirectory: directory,
    create: () => {
      made += 1;
      return `secret-${made}`;
    },
  });

test('is made at the first start, for its owner only, and kept', () => {
  const first = secret();
  expect(first).toMatchObject({ source: 'created', path: join(directory, 'token') });
  expect(statSync(first.path).mode & 0o777).toBe(0o600);
  expect(readFileSync(first.path, 'utf8')).toBe(`${first.value}\n`);
  expect(secret()).toEqual({ ...first, source: 'file' });
  expect(readdirSync(directory)).toEqual(['token']);
});

test('is for its owner only whatever the umask', () => {
  const before = process.umask(0);
  try {
    expect(statSync(secret().path).mode & 0o777).toBe(0o600);
  } finally {
    process.umask(before);
  }
});

test('a credential comes first, whatever its mode shows', () => {
  const credentials = join(directory, 'credentials');
  mkdirSync(credentials);
  writeFileSync(join(credentials, 'token'), ' from-systemd \n', { mode: 0o440 });
  expect(secret(credentials)).toEqual({
    value: 'from-systemd',
    source: 'credential',
    path: join(credentials, 'token'),
  });
  expect(readdirSync(directory)).toEqual(['credentials']);
});

test('a unit with other credentials has its file', () => {
  expect(secret(directory).source).toBe('created');
});

test.each([
  ['others may read it', 0o644, /0644.*chmod 600/],
  ['the group may read it', 0o640, /0640.*chmod 600/],
  ['others may write it', 0o602, /0602.*chmod 600/],
])('is refused when %s', (_name, mode, message) => {
  const path = join(directory, 'token');
  writeFileSync(path, 'x');
  chmodSync(path, mode);
  expect(() => secret()).toThrow(SecretError);
  expect(() => secret()).toThrow(message);
});

test.runIf(process.geteuid?.() === 0)("is refused when it is another user's", () => {
  const path = join(directory, 'token');
  writeFileSync(path, 'x', { mode: 0o600 });
  chownSync(path, 65_534, 65_534);
  expect(() => secret()).toThrow(/belongs to user 65534/);
});

test('is refused when it is empty, a directory, or too large', () => {
  const path = join(directory, 'token');
  writeFileSync(path, ' \n', { mode: 0o600 });
  expect(() => secret()).toThrow(/empty/);
  writeFileSync(path, 'x'.repeat(70_000));
  expect(() => secret()).toThrow(/larger/);
  rmSync(path);
  mkdirSync(path);
  expect(() => secret()).toThrow(/no regular file/);
});

test.each([
  ['that leads nowhere', () => '/nonexistent/token'],
  ['to a file of this user', () => join(directory, 'elsewhere')],
])('a link %s is named, and left as it is', (_name, target) => {
  const path = join(directory, 'token');
  writeFileSync(join(directory, 'elsewhere'), 'x', { mode: 0o600 });
  symlinkSync(target(), path);
  expect(() => secret()).toThrow(SecretError);
  expect(() => secret()).toThrow(`${path} is a symbolic link, no regular file`);
  expect(readdirSync(directory)).toEqual(['elsewhere', 'token']);
});

test('a credential may be a link, as container platforms make them', () => {
  const credentials = join(directory, 'credentials');
  mkdirSync(credentials);
  writeFileSync(join(directory, 'elsewhere'), 'linked');
  symlinkSync(join(directory, 'elsewhere'), join(credentials, 'token'));
  expect(secret(credentials)).toMatchObject({ value: 'linked', source: 'credential' });
});

test('a pipe in its place is named, without waiting for somebody who writes to it', () => {
  const path = join(directory, 'token');
  execFileSync('mkfifo', ['-m', '600', path]);
  expect(() => secret()).toThrow(`${path} is a named pipe, no regular file`);
});

test('says what to check when there is nowhere to keep it', () => {
  const nowhere = join(directory, 'missing');
  expect(() =>
    readOrCreateSecret({
      credentialsDirectory: null,
      name: 'token',
      stateDirectory: nowhere,
      create: () => 'x',
    }),
  ).toThrow(/Check that .*missing exists/);
});

test('one that nobody could send is refused, and left as it is', () => {
  const path = join(directory, 'token');
  const form = { pattern: /^[a-z]+$/, text: 'must be of small letters' };
  const read = () =>
    readOrCreateSecret({
      credentialsDirectory: null,
      name: 'token',
      stateDirectory: directory,
      create: () => 'made',
      form,
    });
  writeFileSync(path, 'hunter2!\n', { mode: 0o600 });
  expect(read).toThrow(`The token in ${path} must be of small letters; write another one into it.`);
  expect(readFileSync(path, 'utf8')).toBe('hunter2!\n');
  writeFileSync(path, 'fine\n');
  expect(read().value).toBe('fine');
});

test('whatever bytes a token’s file holds are a token that can be sent, or refused without being told', () => {
  const path = join(directory, 'token');
  writeFileSync(path, '', { mode: 0o600 });
  const bytes = fc.oneof(
    near('correct-horse~battery+staple==\n', ' 2Hn_0/x.y \r\n').chain(nearBytes),
    fc.uint8Array().map((array) => Buffer.from(array)),
  );
  fc.assert(
    fc.property(bytes, (written) => {
      writeFileSync(path, written);
      const text = written.toString().trim();
      try {
        const { value } = readOrCreateSecret({
          credentialsDirectory: null,
          name: 'token',
          stateDirectory: directory,
          create: () => 'made',
          form: tokenForm,
        });
        expect(value).toBe(text);
        expect(new Headers({ authorization: `Bearer ${value}` }).get('authorization')).toMatch(
          /^Bearer [!-~]+$/,
        );
      } catch (error) {
        if (!(error instanceof SecretError)) throw error;
        expect(error.message).toContain(path);
        if (text.length > 6) expect(error.message).not.toContain(text);
        expect(text).not.toMatch(/^[\w.~+/-]+=*$/);
      }
      expect(readFileSync(path).equals(written)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('webhook secrets are keys of the length that was written, or refused without being told', () => {
  const one = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
  fc.assert(
    fc.property(near(one, `${one} ${one}A=\n`), (text) => {
      const words = text.split(/\s+/).filter((word) => word !== '');
      try {
        const lengths = words.map((word) => Buffer.from(word.slice('whsec_'.length), 'base64').length);
        expect(parseWebhookSecrets(text).map((key) => key.symmetricKeySize)).toEqual(lengths);
        for (const word of words) expect(word).toMatch(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/);
      } catch (error) {
        if (!(error instanceof SecretError)) throw error;
        for (const word of words) if (word.length > 12) expect(error.message).not.toContain(word);
      }
    }),
    { numRuns: 300 },
  );
});

test.runIf(process.getuid?.() === 0)('names the directory that its owner can not enter', () => {
  writeFileSync(join(directory, 'token'), 'x', { mode: 0o600 });
  chownSync(directory, 65534, 65534);
  chownSync(join(directory, 'token'), 65534, 65534);
  chmodSync(directory, 0o000);
  process.seteuid?.(65534);
  try {
    expect(() => secret()).toThrow(`chmod 700 ${directory}`);
  } finally {
    process.seteuid?.(0);
    chmodSync(directory, 0o700);
  }
});
