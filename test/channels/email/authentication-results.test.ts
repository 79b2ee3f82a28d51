import { describe, expect, it } from 'vitest';
import {
  readAuthenticationResults,
  reasonToDoubt,
} from '../../../src/channels/email/authentication-results.js';

const doubt = (fields: readonly string[], domain = 'example.org', authservId = 'mx.example.net') =>
  reasonToDoubt({ domain, authservId, fields });

describe('what vouches for an author', () => {
  it.each([
    [
      'Gmail',
      'mx.google.com; dkim=pass header.i=@example.org header.s=s1 header.b=AbC; spf=pass (google.com: domain of ada@example.org designates 192.0.2.1 as permitted sender) smtp.mailfrom=ada@example.org; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.org',
      'mx.google.com',
    ],
    ['OpenDMARC', 'mx.example.net; dmarc=pass (p=none dis=none) header.from=example.org', 'mx.example.net'],
    [
      'OpenDKIM',
      'mx.example.net; dkim=pass (2048-bit key; unprotected) header.d=example.org header.i=@example.org header.a=rsa-sha256 header.s=s1 header.b=x; dkim-atps=neutral',
      'mx.example.net',
    ],
    [
      'rspamd',
      'mx.example.net; dkim=pass header.d=example.org header.s=s header.b="a/b"; dmarc=pass (policy=none) header.from=example.org; spf=pass (mx.example.net: domain of ada@example.org) smtp.mailfrom=ada@example.org',
      'mx.example.net',
    ],
    ['SPF of a bare domain', 'mx.example.net; spf=pass smtp.mailfrom=example.org', 'mx.example.net'],
    ['a version', 'MX.Example.NET 1; spf=pass smtp.mailfrom=ada@EXAMPLE.org', 'mx.example.net'],
    [
      'a quoted id, and white space',
      '"mx.example.net" ; dkim = pass  header.d = example.org',
      'mx.example.net',
    ],
    ['a method with a version', 'mx.example.net; dkim/1=pass header.d=example.org', 'mx.example.net'],
    [
      'one of several signatures',
      'mx.example.net; dkim=fail header.d=list.example; dkim=pass header.d=example.org',
      'mx.example.net',
    ],
    [
      'a reason in quotes',
      'mx.example.net; dkim=pass reason="a; b=c" header.d=example.org',
      'mx.example.net',
    ],
  ])('%s', (_what, field, authservId) => {
    expect(doubt([field], 'example.org', authservId)).toBeNull();
  });
});

describe('what vouches for nobody', () => {
  it.each([
    ['no field', []],
    ['another server', ['mx.evil.example; dmarc=pass header.from=example.org']],
    [
      'another server above ours, as ours would have been put on top',
      ['mx.evil.example; none', 'mx.example.net; dmarc=pass header.from=example.org'],
    ],
    [
      'a forged field below ours',
      [
        'mx.example.net; dmarc=fail header.from=example.org',
        'mx.example.net; dmarc=pass header.from=example.org',
      ],
    ],
    [
      'a server whose name begins with ours',
      ['mx.example.net.evil.example; dmarc=pass header.from=example.org'],
    ],
    ['our name in a comment', ['evil (mx.example.net); dmarc=pass header.from=example.org']],
    ['our name behind a line that was folded', ['evil mx.example.net; dmarc=pass header.from=example.org']],
    ['the result of another domain', ['mx.example.net; dmarc=pass header.from=evil.example']],
    ['a signature of another domain', ['mx.example.net; dkim=pass header.d=evil.example']],
    ['a domain that ends with ours', ['mx.example.net; dkim=pass header.d=notexample.org']],
    ['a domain above ours', ['mx.example.net; dkim=pass header.d=org']],
    ['a domain below ours', ['mx.example.net; dkim=pass header.d=evil.example.org']],
    [
      'a signer that names our domain as an identity',
      ['mx.example.net; dkim=pass header.d=evil.example header.i=@example.org'],
    ],
    ['two values of one property', ['mx.example.net; dkim=pass header.d=example.org header.d=evil.example']],
    ['SPF of the greeting alone', ['mx.example.net; spf=pass smtp.helo=example.org']],
    ['SPF of another sender', ['mx.example.net; spf=pass smtp.mailfrom=example.org@evil.example']],
    ['a result in a comment', ['mx.example.net; dkim=fail (dkim=pass header.d=example.org)']],
    ['a result in a reason', ['mx.example.net; dkim=fail reason="; dkim=pass header.d=example.org"']],
    [
      'a quoted address with a result in it',
      ['mx.example.net; spf=fail smtp.mailfrom="x; dmarc=pass header.from=example.org"@evil.example'],
    ],
    [
      'an address that breaks out of the field',
      ['mx.example.net; spf=none smtp.mailfrom=x;dmarc=pass header.from=example.org (@evil.example'],
    ],
    [
      'DMARC that failed beside SPF that passed',
      ['mx.example.net; spf=pass smtp.mailfrom=example.org; dmarc=fail'],
    ],
    ['softfail', ['mx.example.net; spf=softfail smtp.mailfrom=example.org']],
    ['passed', ['mx.example.net; spf=passed smtp.mailfrom=example.org']],
    ['a login', ['mx.example.net; auth=pass smtp.auth=ada@example.org']],
    ['ARC, which vouches for those who sent it on', ['mx.example.net; arc=pass header.from=example.org']],
    ['none', ['mx.example.net; none']],
    ['no result', ['mx.example.net']],
    ['an open comment', ['mx.example.net; dmarc=pass header.from=example.org (']],
    ['an open quotation', ['mx.example.net; dmarc=pass header.from="example.org']],
    ['a version of the future', ['mx.example.net 2; dmarc=pass header.from=example.org']],
    ['an empty field above ours', ['', 'mx.example.net; dmarc=pass header.from=example.org']],
  ])('%s', (_what, fields) => {
    expect(doubt(fields)).not.toBeNull();
  });
});

it('reads methods, results and properties', () => {
  expect(
    readAuthenticationResults('mx (a (nested) comment); SPF=Pass smtp.mailfrom="a b@x" ; dkim=none; none'),
  ).toEqual({
    authservId: 'mx',
    results: [
      { method: 'spf', result: 'pass', properties: [['smtp.mailfrom', 'a b@x']] },
      { method: 'dkim', result: 'none', properties: [] },
    ],
  });
});
