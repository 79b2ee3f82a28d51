import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundaryOf, FormError, formParts } from '../../../../src/channels/http/attachments/multipart.js';
import { nearBytes } from '../../../fuzz/near-bytes.js';

async function read(chunks: readonly (string | Buffer)[], boundary = 'xyz') {
  const source = async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  };
  const parts: object[] = [];
  for await (const { body, ...facts } of formParts(source()[Symbol.asyncIterator](), boundary)) {
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    parts.push({ ...facts, text: Buffer.concat(pieces).toString('latin1') });
  }
  return parts;
}

const form = (...parts: readonly string[]) =>
  `${parts.map((part) => `--xyz\r\nContent-Disposition: form-data; ${part}\r\n`).join('')}--xyz--\r\n`;

const message = 'name="message"\r\nContent-Type: application/json\r\n\r\n{"text":"a"}';
const file = 'name="file"; filename="a b.png"\r\nContent-Type: image/PNG; q=1\r\n\r\n\r\n--xy\r\n--xzy\r\n';
const expected = [
  { name: 'message', filename: null, mediaType: 'application/json', text: '{"text":"a"}' },
  { name: 'file', filename: 'a b.png', mediaType: 'image/PNG; q=1', text: '\r\n--xy\r\n--xzy\r\n' },
];

describe('a form', () => {
  it('is read part by part', async () => {
    expect(await read([form(message, file)])).toEqual(expected);
    expect(await read(['--xyz--'])).toEqual([]);
  });

  it('is the same in whatever chunks it comes', async () => {
    const bytes = Buffer.from(form(message, file));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((to, index) => bytes.subarray(edges[index], to));
        expect(await read(chunks)).toEqual(expected);
      }),
    );
    expect(await read([...bytes].map((byte) => Buffer.of(byte)))).toEqual(expected);
  });

  it('is refused as no form, or read, whatever bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(nearBytes(form(message, file)), async (bytes) => {
        const outcome = await read([bytes]).catch((error: unknown) => error);
        expect(Array.isArray(outcome) || outcome instanceof FormError).toBe(true);
      }),
    );
  });

  it.each([
    ['name="file"; filename="a\\"b.txt"\r\n\r\n', 'a"b.txt'],
    ['name="file"; filename="a%22b.txt"\r\n\r\n', 'a"b.txt'],
    ['name="file"; filename="ä€.txt"\r\n\r\n', 'ä€.txt'],
    ['name="file"; filename=a.txt\r\n\r\n', 'a.txt'],
    ['filename=""; name="file"\r\n\r\n', ''],
    ['name="filename"\r\n\r\n', null],
  ])('has a file’s name: %j', async (part, filename) => {
    expect(await read([form(part)])).toMatchObject([{ filename }]);
  });

  it.each([
    ['nothing', '', 'ends before'],
    ['another boundary', '--xya\r\n', 'does not begin'],
    ['a preamble', `hello\r\n${form(message)}`, 'does not begin'],
    ['no end', form(message).slice(0, -6), 'ends before'],
    ['a part cut off', '--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\nabc', 'ends before'],
    ['something behind a boundary', '--xyz x\r\n', 'something behind'],
    ['a part without a name', form('filename="a"\r\n\r\n'), 'without a name'],
    ['another disposition', '--xyz\r\nContent-Disposition: attachment; name="a"\r\n\r\n', 'no form-data'],
    ['a part without headers', '--xyz\r\n\r\n\r\n', 'no header'],
    ['endless headers', `--xyz\r\nx: ${'a'.repeat(9_000)}`, 'headers of more than'],
  ])('is refused: %s', async (_name, text, why) => {
    const reading = read([text]);
    await expect(reading).rejects.toThrow(FormError);
    await expect(reading).rejects.toThrow(why);
  });

  it('is refused if a header is not UTF-8', async () => {
    const bytes = Buffer.from(form('name="\xff"\r\n\r\n'), 'latin1');
    await expect(read([bytes])).rejects.toThrow('not UTF-8');
  });
});

it.each([
  ['multipart/form-data; boundary=xyz', 'xyz'],
  ['Multipart/Form-Data;boundary="x y z"', 'x y z'],
  ['multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundaryAbc', '----WebKitFormBoundaryAbc'],
  ['multipart/form-data', null],
  ['multipart/form-data; boundary=""', null],
  ['multipart/form-data; boundary="a "', null],
  [`multipart/form-data; boundary=${'a'.repeat(71)}`, null],
  ['multipart/mixed; boundary=xyz', null],
  ['application/json', null],
])('the boundary of %j is %j', (type, boundary) => {
  expect(boundaryOf(type)).toBe(boundary);
});
