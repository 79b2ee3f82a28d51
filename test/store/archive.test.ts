import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ArchivedMessage,
  ArchiveError,
  type ArchiveItem,
  formatArchive,
  parseArchive,
} from '../../src/store/archive.js';
import { EncodingError, linesOf } from '../../src/text/lines.js';
import { unicodeText } from '../fuzz/unicode-text.js';
import { propertyRuns } from '../support/properties.js';
import { nearArchive, lines as rightLines } from './near-archive.js';

const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const orNull = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: null });
const metadata = fc.dictionary(
  fc.string(),
  fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant({ at: 1, reply: { at: 2 } })),
);
const message: fc.Arbitrary<ArchivedMessage> = fc.record({
  type: fc.constant('message' as const),
  id: fc.uuid(),
  session: fc.string({ minLength: 1 }),
  seq: fc.integer({ min: 1 }),
  state: fc.constantFrom('queued' as const, 'running' as const, 'replied' as const, 'dead' as const),
  text: unicodeText(),
  metadata,
  sender: orNull(fc.string()),
  begun: fc.boolean(),
  collected_in: orNull(fc.uuid()),
  channel: fc.string(),
  accepted_at: time,
  changed_at: time,
  retried_at: orNull(time),
  attempts: fc.nat(),
  crashes: fc.nat(),
  put_backs: fc.nat(),
  error: orNull(fc.string()),
  held: fc.boolean(),
  reply_to: orNull(
    fc.record({
      channel: fc.string({ minLength: 1 }),
      address: fc.string(),
      options: metadata,
      idempotent: fc.boolean(),
      unknown: orNull(fc.constantFrom('resend' as const, 'ask' as const, 'drop' as const)),
    }),
  ),
  idempotency: orNull(fc.record({ key: fc.string(), fingerprint: fc.constant('00ff') })),
  generation: fc.integer({ min: 1 }),
  deltas: fc.array(fc.record({ position: fc.integer({ min: 1 }), attempt: fc.nat(), text: fc.string() }), {
    maxLength: 2,
  }),
  parts: fc.array(fc.record({ part: fc.nat(), receipt: metadata, at: time }), { maxLength: 2 }),
  reply: orNull(fc.record({ text: fc.string(), metadata, at: time })),
  delivery: orNull(
    fc.record({
      kind: fc.constantFrom('reply' as const, 'notice' as const),
      webhook_id: fc.string(),
      state: fc.constantFrom('pending' as const, 'delivered' as const, 'dead' as const),
      attempts: fc.nat(),
      delivered_at: orNull(time),
      last_error: orNull(fc.string()),
      unknown: fc.nat(),
      begun_at: orNull(time),
      held: fc.boolean(),
    }),
  ),
});
const session = fc.record({
  type: fc.constant('session' as const),
  session: fc.string({ minLength: 1 }),
  last_seq: fc.nat(),
  policy: orNull(fc.constantFrom('queue' as const, 'interrupt' as const, 'collect' as const)),
  last_accepted_at: time,
  agent: orNull(fc.string()),
  generation: fc.integer({ min: 1 }),
  first_seq: fc.integer({ min: 1 }),
});

async function* each<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}

async function read(lines: Iterable<string>): Promise<ArchiveItem[]> {
  const items: ArchiveItem[] = [];
  for await (const item of parseArchive(each(lines))) items.push(item);
  return items;
}

describe('an archive', () => {
  test('is read as it was written, one line for each item', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(message, session)), async (items) => {
        const lines = [...formatArchive(items, 0)];
        expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
        expect(await read(lines.map((line) => line.slice(0, -1)))).toEqual(items);
      }),
    );
  });

  test('of a version that knew less is read, with what a migration makes of it', async () => {
    const later = {
      sender: null,
      begun: false,
      collected_in: null,
      crashes: 0,
      put_backs: 0,
      parts: [],
      generation: 1,
      deltas: [],
    };
    await fc.assert(
      fc.asyncProperty(message, async (written) => {
        const { reply_to: target } = written;
        const webhook = { channel: 'webhook', options: {}, unknown: null };
        const present = { ...written, ...later, reply_to: target && { ...target, ...webhook } };
        const lines = [...formatArchive([present], 0)].map((line) => {
          const members: { [name: string]: unknown; reply_to?: { [name: string]: unknown } | null } =
            JSON.parse(line);
          for (const name of Object.keys(later)) delete members[name];
          // There were only URLs.
          if (members.reply_to != null) {
            const { address: url, idempotent } = members.reply_to;
            members.reply_to = { url, idempotent };
          }
          return JSON.stringify(members);
        });
        expect(await read(lines)).toEqual([present]);
      }),
    );
  });

  test('that is nearly right is refused, and says where, or read as it says', async () => {
    /** Members that those of an earlier version don't have. */
    const later = {
      session: { policy: null, agent: null, generation: 1, first_seq: 1 },
      message: {
        sender: null,
        begun: false,
        collected_in: null,
        crashes: 0,
        put_backs: 0,
        parts: [],
        generation: 1,
        deltas: [],
      },
    };
    // JSON has two ways to write zero, and JavaScript to keep it.
    const parse = (line: string) => JSON.parse(line, (_name, value) => (value === 0 ? 0 : value));
    await fc.assert(
      fc.asyncProperty(nearArchive, async (bytes) => {
        const items: ArchiveItem[] = [];
        try {
          for await (const item of parseArchive(linesOf(each([bytes]), { fatal: true }))) items.push(item);
        } catch (error) {
          expect([ArchiveError, EncodingError]).toContain((error as Error).constructor);
          // Nothing has no line.
          expect(String(error)).toMatch(bytes.length === 0 ? /it is empty/ : /\bline \d+/);
          return;
        }
        const written = bytes.toString().replace(/\n$/, '').split('\n').slice(1, -1).map(parse);
        const again = [...formatArchive(items, 0)].slice(1, -1).map(parse);
        expect(again).toEqual(
          written.map(({ reply_to: target, ...members }) => ({
            ...later[members.type as 'session' | 'message'],
            ...members,
            ...(target === undefined
              ? {}
              : { reply_to: target && { options: {}, unknown: null, ...target } }),
          })),
        );
      }),
      { numRuns: propertyRuns(100) },
    );
  });

  const [header = '', one = '', end = ''] = [
    ...formatArchive(
      [
        {
          type: 'session',
          session: 'a',
          last_seq: 1,
          last_accepted_at: 0,
          policy: null,
          agent: null,
          generation: 1,
          first_seq: 1,
        },
      ],
      0,
    ),
  ].map((line) => line.trimEnd());
  test.each([
    ['nothing', [], /it is empty/],
    ['no end', [header, one], /cut off after line 2/],
    ['a line too few', [header, end], /0 messages of 1 sessions were exported, 0 of 0 are there/],
    ['more behind the end', [header, one, end, one], /line 4: there is more behind the end/],
    ['no header', [one, end], /line 1: it does not begin as an export does/],
    ['two headers', [header, header], /line 2: a second header/],
    ['no JSON', [header, '{'], /line 2: it is no JSON/],
    ['a newer version', [header.replace('"version":1', '"version":2')], /line 1: "version"/],
    ['an unknown member', [header, one.replace('{', '{"more":1,')], /line 2:.*more/],
    ['a wrong time', [header, one.replace('1970', '19-70')], /line 2: "last_accepted_at"/],
    ['half of a character', [header, one.replace('"a"', '"\\ud83e"')], /line 2: "session".*surrogate/],
    [
      'a number that no client can name',
      [header, one.replace(':1,', ':1000000000000000,')],
      /line 2: "last_seq"/,
    ],
  ])('with %s is refused, and says where', async (_what, lines, reason) => {
    const error = await read(lines).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ArchiveError);
    expect(String(error)).toMatch(reason);
  });

  test.each([
    ['half of a byte', '"00fF"', '"0fF"', /line 7: "idempotency.fingerprint" must be bytes/],
    ['a number beyond all', '{"at":7}', '{"at":[-1e400]}', /line 4: "reply.metadata" must not hold a number/],
    [
      'metadata without an end',
      '{"at":7}',
      `{"at":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
      /line 4: "reply.metadata" must not be nested deeper than 100/,
    ],
    [
      'a receipt beyond all',
      '"receipt":{"at":7}',
      '"receipt":1e400',
      /line 9: "parts.0.receipt" must not hold a number/,
    ],
    ['a record beyond all', '{"at":[1]}', '{"at":[1e400]}', /line 10: "value" must not hold a number/],
    [
      'a record without an end',
      '{"at":[1]}',
      `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
      /line 10: "value" must not be nested deeper than 100/,
    ],
  ])('with %s is refused, and says where', async (_what, right, wrong, reason) => {
    const wrongLines = rightLines.map((line) => line.replace(right, wrong));
    await expect(read(rightLines)).resolves.toHaveLength(rightLines.length - 2);
    await expect(read(wrongLines)).rejects.toThrow(reason);
  });
});
