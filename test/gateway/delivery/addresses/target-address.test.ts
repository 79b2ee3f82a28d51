import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  contains,
  judgeAddress,
  parseAddress,
  parseRange,
  validateReplyUrl,
} from '../../../../src/gateway/delivery/addresses/target-address.js';

describe('judging an address', () => {
  test.each([
    ['0.0.0.0', '0.0.0.0/8'],
    ['0.1.2.3', '0.0.0.0/8'],
    ['10.0.0.0', '10.0.0.0/8'],
    ['10.255.255.255', '10.0.0.0/8'],
    ['100.64.0.1', '100.64.0.0/10'],
    ['100.127.255.255', '100.64.0.0/10'],
    ['127.0.0.1', '127.0.0.0/8'],
    ['127.255.255.254', '127.0.0.0/8'],
    ['169.254.169.254', '169.254.0.0/16'],
    ['172.16.0.1', '172.16.0.0/12'],
    ['172.31.255.255', '172.16.0.0/12'],
    ['192.0.0.192', '192.0.0.0/24'],
    ['192.0.2.1', '192.0.2.0/24'],
    ['192.88.99.1', '192.88.99.0/24'],
    ['192.168.255.1', '192.168.0.0/16'],
    ['198.19.255.255', '198.18.0.0/15'],
    ['198.51.100.7', '198.51.100.0/24'],
    ['203.0.113.7', '203.0.113.0/24'],
    ['224.0.0.1', '224.0.0.0/4'],
    ['239.255.255.255', '224.0.0.0/4'],
    ['240.0.0.1', '240.0.0.0/4'],
    ['255.255.255.255', '240.0.0.0/4'],
    ['::', '::/128'],
    ['::1', '::1/128'],
    ['0:0:0:0:0:0:0:1', '::1/128'],
    ['::127.0.0.1', '127.0.0.0/8'],
    ['::ffff:127.0.0.1', '127.0.0.0/8'],
    ['::ffff:7f00:1', '127.0.0.0/8'],
    ['::ffff:169.254.169.254', '169.254.0.0/16'],
    ['::ffff:0:10.0.0.1', '10.0.0.0/8'],
    ['64:ff9b::10.1.2.3', '10.0.0.0/8'],
    ['64:ff9b::c0a8:1', '192.168.0.0/16'],
    ['64:ff9b:1::8.8.8.8', '64:ff9b:1::/48'],
    ['2002:7f00:1::', '127.0.0.0/8'],
    ['2002:c0a8:101::1', '192.168.0.0/16'],
    ['100::1', '100::/64'],
    ['2001::1', '2001::/23'],
    ['2001:db8::1', '2001:db8::/32'],
    ['3fff::1', '3fff::/20'],
    ['fc00::1', 'fc00::/7'],
    ['fd12:3456::1', 'fc00::/7'],
    ['fe80::1', 'fe80::/10'],
    ['fe80::1%eth0', 'fe80::/10'],
    ['fec0::1', 'fec0::/10'],
    ['ff02::1', 'ff00::/8'],
    ['5f00::1', 'outside 2000::/3'],
    ['4000::1', 'outside 2000::/3'],
    ['example.com', 'example.com'],
    ['127.1', '127.1'],
    ['', ''],
  ])('%s is refused for %s', (address, range) => {
    expect(judgeAddress(address, [])).toMatchObject({ allowed: false, range });
  });

  test.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.1',
    '192.167.255.255',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::1',
    '::ffff:1.1.1.1',
    '64:ff9b::101:101',
    '2002:101:101::1',
  ])('%s is public', (address) => {
    expect(judgeAddress(address, [])).toEqual({ allowed: true });
  });

  test.each([
    ['127.0.0.1', '127.0.0.0/8', true],
    ['127.0.0.1', '127.0.0.1/32', true],
    ['127.0.0.2', '127.0.0.1/32', false],
    ['::ffff:127.0.0.1', '127.0.0.0/8', true],
    ['::1', '127.0.0.0/8', false],
    ['::1', '::1/128', true],
    ['fd00::1', 'fd00::/8', true],
    ['fc00::1', 'fd00::/8', false],
    ['10.1.2.3', '10.1.0.0/16', true],
    ['10.2.2.3', '10.1.0.0/16', false],
    ['169.254.169.254', '0.0.0.0/0', true],
    ['169.254.169.254', '::/0', false],
  ])('%s with %s allowed: %s', (address, range, allowed) => {
    expect(judgeAddress(address, [parseRange(range)]).allowed).toBe(allowed);
  });

  test("every address within an allowed range is allowed, and ranges agree with Node's", () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(ip, ip, fc.nat(128), (network, address, bits) => {
        const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
        const prefix = Math.min(bits, family === 'ipv4' ? 32 : 128);
        const range = parseRange(`${network}/${prefix}`);
        const bytes = parseAddress(address) ?? [];
        expect(bytes.length).toBe(isIP(address) === 4 ? 4 : 16);
        if (isIP(address) === isIP(network)) {
          const list = new BlockList();
          list.addSubnet(network, prefix, family);
          expect(contains(range, bytes)).toBe(list.check(address, family));
        } else {
          expect(contains(range, bytes)).toBe(false);
        }
        if (contains(range, bytes)) expect(judgeAddress(address, [range])).toEqual({ allowed: true });
      }),
    );
  });

  test.each(['127.0.0.1', '127.0.0.0/33', '::/129', 'x/8', '/8', '127.0.0.0/', '127.0.0.0/8/8'])(
    '%j is no range',
    (text) => expect(() => parseRange(text)).toThrow(RangeError),
  );
});

describe('a reply URL', () => {
  const loopback = [parseRange('127.0.0.0/8')];

  test.each([
    'https://example.com/replies?x=1',
    'http://example.com:8080/',
    'https://1.1.1.1/',
    'https://[2606:4700::1111]/',
    'https://localhost.example.com/',
  ])('%s is fine', (text) => {
    expect(validateReplyUrl(text, [])).toMatchObject({ ok: true });
  });

  test.each([
    ['', /absolute URL/],
    ['/replies', /absolute URL/],
    ['example.com', /absolute URL/],
    ['ftp://example.com/', /scheme is "ftp"/],
    ['file:///etc/passwd', /scheme is "file"/],
    ['javascript:alert(1)', /scheme/],
    ['https://user@example.com/', /user name or a password/],
    ['https://:password@example.com/', /user name or a password/],
    [`https://example.com/${'x'.repeat(2_048)}`, /longer than 2048/],
    ['http://127.0.0.1:1/', /127\.0\.0\.0\/8 \(loopback\).*delivery\.allow/],
    ['http://127.1/', /loopback/],
    ['http://0x7f.0.0.1/', /loopback/],
    ['http://0177.0.0.1/', /loopback/],
    ['http://2130706433/', /loopback/],
    ['http://0/', /"this" network/],
    ['http://１２７.0.0.1/', /loopback/],
    ['http://169.254.169.254/latest/meta-data', /link-local/],
    ['http://[::1]/', /loopback/],
    ['http://[::ffff:127.0.0.1]/', /loopback/],
    ['http://[fd00::1]/', /unique local/],
    ['http://localhost/', /localhost resolves to an address that is not public \(loopback\)/],
    ['http://LOCALHOST./', /loopback/],
    ['http://a.localhost/', /loopback/],
  ])('%s is refused', (text, reason) => {
    const verdict = validateReplyUrl(text, []);
    expect(verdict.ok).toBe(false);
    if (!verdict.ok) expect(verdict.reason).toMatch(reason);
  });

  test.each(['http://127.0.0.1:1/', 'http://2130706433/', 'http://localhost/', 'http://[::ffff:127.0.0.1]/'])(
    '%s is fine when its range is allowed',
    (text) => expect(validateReplyUrl(text, loopback).ok).toBe(true),
  );

  test('never throws, and never lets an address through that is refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string(),
          fc.ipV4().map((ip) => `http://${ip}/`),
        ),
        (text) => {
          const verdict = validateReplyUrl(text, []);
          if (verdict.ok && verdict.address !== null) {
            expect(judgeAddress(verdict.address, []).allowed).toBe(true);
          }
        },
      ),
    );
  });
});
