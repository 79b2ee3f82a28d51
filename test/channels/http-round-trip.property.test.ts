import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bodyOf, rawConnection, type Served, serve } from './http-fixture.js';

let served: Served;

beforeAll(async () => {
  served = await serve({ settings: { queue: { session: 100_000, total: 100_000 } } });
});

afterAll(() => served.dispose());

/** Any UTF-16 code units, unpaired surrogates and NUL among them. */
const text = fc.string({ unit: 'binary', maxLength: 30 });
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
    { numRuns: 300 },
  );
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
    { numRuns: 200 },
  );
  expect(served.records).toEqual([]);
});
