import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUserName, unitUser, userDeclaration } from '../../src/units/unit-user.js';

const instances = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/);

describe('the user of an instance', () => {
  it.each([
    [null, 'sd-gateway'],
    ['one', 'sd-gateway-one'],
    ['A-1_x', 'sd-gateway-A-1_x'],
    ['-', 'sd-gateway--'],
    // 31 characters are as many as utmp(5) has room for.
    ['twenty-characters-20', 'sd-gateway-twenty-characters-20'],
    ['twenty-one-characters', expect.stringMatching(/^sd-gateway_[0-9a-f]{16}$/)],
    ['a.b', expect.stringMatching(/^sd-gateway_[0-9a-f]{16}$/)],
  ])('%s is %s', (instance, user) => {
    expect(unitUser(instance)).toEqual(user);
  });

  it('is one that systemd-sysusers makes, the same each time, and of no other instance', () => {
    fc.assert(
      fc.property(instances, instances, (one, other) => {
        expect(isUserName(unitUser(one))).toBe(true);
        expect(unitUser(one)).toBe(unitUser(one));
        expect(unitUser(one) === unitUser(other)).toBe(one === other);
        expect(unitUser(one)).not.toBe(unitUser(null));
      }),
    );
  });

  it('is declared as sysusers.d(5) has it, the shipped one by the shipped file', () => {
    expect(userDeclaration('one')).toBe('u sd-gateway-one - "Message gateway for agents, instance one"\n');
    const shipped = readFileSync(
      new URL('../../systemd/sysusers.d/sd-gateway.conf', import.meta.url),
      'utf8',
    );
    expect(shipped.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      userDeclaration(null).trimEnd(),
      '',
    ]);
  });
});
