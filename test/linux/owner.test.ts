import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { actingAs, asOwnerOf, openerOf, ownerOf } from '../../src/linux/owner.js';

/** "nobody" and a user without an entry in passwd(5). */
const nobody = 65_534;
const unnamed = 61_999;

let directory: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'owner-')));
  chmodSync(directory, 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

const place = (...parts: readonly string[]) => join(directory, ...parts);

function makeDirectory(uid: number, ...parts: readonly string[]): string {
  const path = place(...parts);
  mkdirSync(path, { mode: 0o700 });
  chownSync(path, uid, uid);
  return path;
}

describe.runIf(process.getuid?.() === 0)('the owner of a path', () => {
  it('is the first user other than root who has a part of it', () => {
    makeDirectory(nobody, 'theirs');
    makeDirectory(unnamed, 'theirs', 'other');
    mkdirSync(place('theirs', 'roots'));
    expect(ownerOf(place('theirs', 'token'))).toBe(nobody);
    expect(ownerOf(place('theirs', 'other', 'token'))).toBe(nobody);
    expect(ownerOf(place('theirs', 'roots'))).toBe(nobody);
    expect(ownerOf(place('nowhere', 'token'))).toBeNull();
    expect(ownerOf('/etc/passwd')).toBeNull();
  });

  it('is found through root’s own links, and is whoever has made one on the way', () => {
    makeDirectory(nobody, 'theirs');
    mkdirSync(place('roots'));
    symlinkSync('../theirs', place('roots', 'link'));
    expect(ownerOf(place('roots', 'link', 'token'))).toBe(nobody);
    // All that it leads to is root's.
    symlinkSync('/etc', place('foreign'));
    lchownSync(place('foreign'), unnamed, unnamed);
    symlinkSync(place('foreign'), place('to-foreign'));
    expect(ownerOf(place('to-foreign', 'passwd'))).toBe(unnamed);
    symlinkSync('circle', place('circle'));
    expect(ownerOf(place('circle', 'token'))).toBeNull();
  });
});

describe.runIf(process.getuid?.() === 0)('root', () => {
  it('acts as another user, in all threads, and is root again', async () => {
    const secret = place('secret');
    writeFileSync(secret, 'x', { mode: 0o600 });
    const groups = process.getgroups?.();
    expect(() => actingAs(nobody, () => readFileSync(secret))).toThrow(/EACCES/);
    await expect(actingAs(nobody, () => readFile(secret))).rejects.toThrow(/EACCES/);
    expect(
      actingAs(unnamed, () => [process.geteuid?.(), process.getegid?.(), process.getgroups?.()]),
    ).toEqual([unnamed, nobody, [nobody]]);
    expect(actingAs(nobody, () => actingAs(0, () => readFileSync(secret, 'utf8')))).toBe('x');
    await expect(actingAs(nobody, async () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect([process.geteuid?.(), process.getegid?.(), process.getgroups?.()]).toEqual([0, 0, groups]);
    expect(actingAs(null, () => readFileSync(secret, 'utf8'))).toBe('x');
  });

  it('reads as the owner what lies in their directory, by no link to its own', () => {
    const theirs = makeDirectory(nobody, 'theirs');
    const secret = place('secret');
    writeFileSync(secret, 'x', { mode: 0o600 });
    symlinkSync(secret, join(theirs, 'token'));
    expect(() => asOwnerOf(join(theirs, 'token'), (path) => readFileSync(path))).toThrow(/EACCES/);
    // Their directory itself led elsewhere.
    symlinkSync(directory, place('led'));
    lchownSync(place('led'), nobody, nobody);
    chmodSync(directory, 0o700);
    expect(() => asOwnerOf(place('led', 'secret'), (path) => readFileSync(path))).toThrow(/EACCES/);
    const before = process.cwd();
    asOwnerOf(join(theirs, 'made'), (path) => writeFileSync(path, 'theirs'));
    expect(statSync(join(theirs, 'made')).uid).toBe(nobody);
    expect(process.cwd()).toBe(before);
  });

  it('gets to a dynamic user’s directory, which they can’t reach by its name', () => {
    mkdirSync(place('private'), { mode: 0o700 });
    const theirs = makeDirectory(unnamed, 'private', 'theirs');
    symlinkSync('private/theirs', place('public'));
    writeFileSync(join(theirs, 'token'), 'x', { mode: 0o600 });
    chownSync(join(theirs, 'token'), unnamed, unnamed);
    const read = (path: string) => [process.geteuid?.(), readFileSync(path, 'utf8')];
    expect(asOwnerOf(place('public', 'token'), read)).toEqual([unnamed, 'x']);
    expect(openerOf(place('public', 'token'))).toBeNull();
    makeDirectory(unnamed, 'open');
    expect(openerOf(place('open', 'token'))).toBe(unnamed);
  });
});
