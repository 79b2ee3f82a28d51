import { afterEach, expect, it } from 'vitest';
import { clientOf } from '../../../src/channels/http/client-address.js';
import { bodyOf, type Served, serve } from './http-fixture.js';

const near = ['127.0.0.0/8', '10.0.0.0/8', 'fd00::/8'];

it.each<
  [
    what: string,
    peer: string | undefined,
    forwarded: string | string[] | undefined,
    ranges: string[],
    address: string | null,
  ]
>([
  ['without proxies the header counts for nothing', '192.0.2.1', '198.51.100.9', [], '192.0.2.1'],
  ['a stranger’s header counts for nothing', '192.0.2.1', '198.51.100.9', near, '192.0.2.1'],
  ['a proxy names its client', '127.0.0.1', '198.51.100.9', near, '198.51.100.9'],
  ['a proxy by IPv4 in IPv6', '::ffff:127.0.0.1', '198.51.100.9', near, '198.51.100.9'],
  ['a proxy by IPv6', 'fd00::7', '2001:db8::1', near, '2001:db8::1'],
  [
    'what the client wrote itself comes before',
    '127.0.0.1',
    '203.0.113.5, 198.51.100.9',
    near,
    '198.51.100.9',
  ],
  ['two proxies in a row', '127.0.0.1', '198.51.100.9, 10.1.2.3', near, '198.51.100.9'],
  ['several headers', '127.0.0.1', ['203.0.113.5', '198.51.100.9, 10.1.2.3'], near, '198.51.100.9'],
  ['proxies alone', '127.0.0.1', '10.1.2.3', near, '10.1.2.3'],
  ['a proxy that names nobody', '127.0.0.1', undefined, near, '127.0.0.1'],
  ['nonsense', '127.0.0.1', 'unknown', near, '127.0.0.1'],
  ['nonsense before a proxy', '127.0.0.1', 'unknown, 10.1.2.3', near, '10.1.2.3'],
  ['a Unix socket without proxies', undefined, '198.51.100.9', [], null],
  ['a Unix socket with proxies', undefined, '198.51.100.9', near, '198.51.100.9'],
])('%s', (_what, remoteAddress, forwarded, ranges, address) => {
  const request = {
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded as string },
    socket: { remoteAddress },
  };
  expect(clientOf(request, ranges).address).toBe(address);
});

it.each<[string | undefined, string[], boolean | null]>([
  [undefined, near, null],
  ['https', near, true],
  ['http', near, false],
  ['https, http', near, false],
  ['http', [], null],
])('X-Forwarded-Proto %s with proxies %j: %s', (proto, ranges, isSecure) => {
  const headers = proto === undefined ? {} : { 'x-forwarded-proto': proto };
  expect(clientOf({ headers, socket: { remoteAddress: '127.0.0.1' } }, ranges).isSecure).toBe(isSecure);
});

let served: Served | undefined;
afterEach(async () => {
  await served?.dispose();
  served = undefined;
});

it('a request that came to the proxy without TLS is told once, with its client', async () => {
  served = await serve({ settings: { trustedProxies: ['127.0.0.1/32'] } });
  const from = { 'x-forwarded-for': '198.51.100.9' };
  expect((await served.get('/v1/sessions', { ...from, 'x-forwarded-proto': 'https' })).status).toBe(200);
  expect(served.records).toEqual([]);
  for (const _ of [1, 2]) await served.get('/v1/sessions', { ...from, 'x-forwarded-proto': 'http' });
  expect(served.records).toEqual([expect.stringContaining('come to it without TLS, from 198.51.100.9: ')]);
});

it('links begin with the public URL', async () => {
  served = await serve({ settings: { publicUrl: 'https://gateway.example.org/gw' } });
  const answer = await served.post('a', { text: 'x' });
  const { id } = await bodyOf(answer);
  expect(answer.headers.get('location')).toBe(`https://gateway.example.org/gw/v1/messages/${id}`);
});
