import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { webhookTarget } from '../../../src/store/messages.js';
import { near } from '../../fuzz/near.js';
import { nearBytes, shown } from '../../fuzz/near-bytes.js';
import { nearJson } from '../../fuzz/near-json.js';
import { unicodeText } from '../../fuzz/unicode-text.js';
import { propertyRuns } from '../../support/properties.js';
import { type Body, bodyOf, rawConnection, type Served, serve, token } from './http-fixture.js';

let served: Served;

beforeAll(async () => {
  served = await serve({ settings: { waitLimit: 10, queue: { session: 100_000, total: 100_000 } } });
});

afterAll(() => served.dispose());

/** Records that each action of a client leaves, and each wrong token. */
const isOfAction = /^(Cancelled|Discarded|Retried|Set|Reset|Deleted) by request: |^Refused a token: /;

/** Any UTF-16 code units, unpaired surrogates and NUL among them. */
const text = unicodeText({ maxLength: 30 });
const anyText = fc.oneof(
  text,
  fc
    .array(fc.constantFrom('\\', 'u0000', 'ud800', '"', '\0', '\ud83d', '\ude00', 'x'))
    .map((parts) => parts.join('')),
);
const metadata = fc.dictionary(
  anyText.filter((key) => key !== '__proto__'),
  fc.oneof(anyText, fc.integer(), fc.boolean(), fc.constant(null), fc.array(anyText, { maxLength: 3 })),
  { maxKeys: 4, noNullPrototype: true },
);

const storable = (value: unknown): boolean => {
  if (typeof value === 'string') return !/[\0\p{Surrogate}]/u.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, item]) => storable(key) && storable(item));
};

test('what is accepted comes back as it was sent, and nothing else is accepted', async () => {
  await fc.assert(
    fc.asyncProperty(anyText, metadata, async (sentText, sentMetadata) => {
      const response = await served.post('a', { text: sentText, metadata: sentMetadata });
      const accepted = sentText !== '' && storable(sentText) && storable(sentMetadata);
      expect(response.status).toBe(accepted ? 202 : 422);
      const { id } = await bodyOf(response);
      if (!accepted) return;
      const shown = await bodyOf(served.get(`/v1/messages/${id}`));
      expect(shown).toMatchObject({ text: sentText, state: 'queued' });
      expect(Reflect.get(shown, 'metadata')).toEqual(sentMetadata);
    }),
    { numRuns: propertyRuns(100) },
  );
});

interface Route {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  /** Bodies that are taken. */
  readonly bodies: readonly unknown[];
  /** Checks that the body that was sent, and taken, is what there is now. */
  readonly isDone: (sent: Readonly<Record<string, unknown>>, answer: Body) => Promise<void>;
}

const nothing: Omit<Route, 'path'> = {
  method: 'POST',
  bodies: [{}, null],
  isDone: async (sent) => expect([{}, null]).toContainEqual(sent),
};

const routes: readonly [Route, Route, ...Route[]] = [
  {
    method: 'POST',
    path: '/v1/sessions/bodies/messages',
    bodies: [
      {
        text: 'grüße 🦀',
        reply_to: { url: 'https://receiver.example/a?b=c', idempotent: false, unknown: 'drop' },
        metadata: { from: 'ada', deep: [{ n: 1 }] },
        sender: 'ada',
      },
    ],
    isDone: async (sent, { id }) => {
      const { text, reply_to, metadata = {}, sender = null, ...unknown } = sent;
      const { url = null } = (reply_to ?? {}) as { readonly url?: string };
      const stored = await served.store.message(id);
      expect(stored).toMatchObject({ text, sender, replyTo: url === null ? null : webhookTarget(url) });
      expect([stored?.metadata, unknown]).toEqual([metadata, {}]);
    },
  },
  {
    method: 'PUT',
    path: '/v1/sessions/bodies/policy',
    bodies: [{ policy: 'interrupt' }, { policy: null }],
    isDone: async (sent) => {
      expect({ policy: (await served.store.session('bodies'))?.policy }).toEqual(sent);
    },
  },
  { ...nothing, path: '/v1/sessions/bodies/cancel' },
  { ...nothing, path: '/v1/messages/ID/cancel' },
  { ...nothing, path: '/v1/messages/ID/retry' },
  { ...nothing, path: '/v1/messages/ID/discard' },
];

test('whatever a body holds is done as it says, or refused as a problem', async () => {
  const { id } = await bodyOf(served.post('bodies', { text: 'x' }));
  const [post, put] = routes;
  // The request that says most is asked for most.
  const request = fc.constantFrom(...routes, post, post, post, post, put, put).chain((route) => {
    const texts = route.bodies.map((body) => JSON.stringify(body));
    const changed = nearJson(...route.bodies);
    const bytes = fc.oneof(
      { weight: 6, arbitrary: changed.map((text) => shown(Buffer.from(text))) },
      { weight: 1, arbitrary: fc.oneof(near(...texts), fc.json()).map((text) => shown(Buffer.from(text))) },
      { weight: 2, arbitrary: fc.oneof(fc.constantFrom(...texts), changed).chain(nearBytes) },
    );
    return fc.tuple(fc.constant(route), bytes);
  });
  await fc.assert(
    fc.asyncProperty(request, async ([{ method, path, isDone }, body]) => {
      served.accepted.length = 0;
      const response = await fetch(served.base + path.replace('ID', id), {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body,
      });
      const answer = await bodyOf(response);
      if (response.ok) {
        expect(isUtf8(body)).toBe(true);
        // JSON has two ways to write zero, and JavaScript to keep it.
        const zero = (_name: string, value: unknown) => (value === 0 ? 0 : value);
        const written = body.toString().replace(/^\ufeff/, '');
        // An empty body is none.
        await isDone(written === '' ? null : JSON.parse(written, zero), answer);
        return;
      }
      expect(`${response.status} ${response.headers.get('content-type')}`).toMatch(
        /^4\d\d application\/problem\+json(;|$)/,
      );
      expect(answer).toMatchObject({
        type: expect.stringMatching(/^urn:sd-gateway:problem:[a-z-]+$/),
        status: response.status,
      });
      expect(served.accepted).toEqual([]);
    }),
    { numRuns: propertyRuns(100) },
  );
  expect(served.records.filter((record) => !isOfAction.test(record))).toEqual([]);
});

test('whatever address is asked for, the answer is what is there, or a problem', async () => {
  const { id } = await bodyOf(served.post('addresses', { text: 'x' }));
  const address = near(
    `/v1/messages/${id}?wait=0.001`,
    '/v1/sessions/addresses/messages?limit=5',
    '/v1/sessions?limit=1&after=c2Vzc2lvbnM6YQ',
    '/v1/dead?limit=10',
    '/v1/sessions/a%2fb',
    '/readyz?%ff',
  );
  await fc.assert(
    fc.asyncProperty(address, async (path) => {
      const connection = await rawConnection(served.base);
      connection.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      );
      const answer = await connection.ended;
      expect(answer).toMatch(/^HTTP\/1\.1 (200|4\d\d) /);
      if (!answer.startsWith('HTTP/1.1 200 '))
        expect(answer).toMatch(/^content-type: application\/problem\+json/im);
    }),
    { numRuns: propertyRuns(100) },
  );
  expect(served.records.filter((record) => !isOfAction.test(record))).toEqual([]);
});

test('any bytes get an answer or an end, and the gateway serves on', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'GET ',
      'POST ',
      '/v1/sessions/a/messages',
      '/healthz',
      ' HTTP/1.1\r\n',
      'Host: x\r\n',
      'Content-Length: 3\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Connection: close\r\n',
      '\r\n',
      '\n',
      ':',
      '0\r\n\r\n',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
      const connection = await rawConnection(served.base);
      connection.write(pieces.join(''));
      connection.finish();
      expect(await connection.ended).toMatch(/^(HTTP\/1\.1 \d{3} |$)/);
      expect((await fetch(`${served.base}/healthz`)).status).toBe(200);
    }),
    { numRuns: propertyRuns(60) },
  );
  expect(served.records.filter((record) => !isOfAction.test(record))).toEqual([]);
});
