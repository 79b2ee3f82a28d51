import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileFetchError } from '../../../../src/channels/http/attachments/url-files.js';
import { StoreError } from '../../../../src/store/store-error.js';
import { putFile } from '../../../store/contract/attachments-contract.js';
import { bodyOf, rawConnection, type Served, serve, token } from '../http-fixture.js';

let served: Served;

beforeEach(async () => {
  served = await serve();
});

afterEach(() => served.dispose());

function form(message: unknown, ...files: readonly File[]): FormData {
  const parts = new FormData();
  parts.append('message', JSON.stringify(message));
  for (const file of files) parts.append('file', file);
  return parts;
}

const text = (content: string, name: string) => new File([content], name, { type: 'text/plain' });
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

/** For a machine that is busy, in milliseconds. */
const patient = { timeout: 15_000 };

/** Ids of all files in the store. */
async function storedFiles(): Promise<readonly string[]> {
  const { default: Database } = await import('../../../support/sqlite.mjs');
  const database = new Database(`${served.directory}/gateway.db`, { readonly: true });
  try {
    return database.prepare('SELECT id FROM blobs ORDER BY number').pluck().all() as string[];
  } finally {
    database.close();
  }
}

describe('a message with files', () => {
  test('is taken with all of them, and shows them', async () => {
    const large = randomBytes(700_000);
    const answer = await served.postForm(
      'a',
      form({ text: 'look' }, text('one', '../one.txt'), new File([large], 'zwei €.bin')),
    );
    expect(answer.status).toBe(202);
    const { id } = await bodyOf(answer);
    const path = `/v1/messages/${id}/attachments`;
    expect(JSON.parse(await (await served.get(`/v1/messages/${id}`)).text())).toMatchObject({
      text: 'look',
      attachments: [
        { name: 'one.txt', media_type: 'text/plain', size: 3, sha256: sha256('one'), path: `${path}/1` },
        {
          name: 'zwei €.bin',
          media_type: 'application/octet-stream',
          size: 700_000,
          sha256: sha256(large),
          path: `${path}/2`,
        },
      ],
    });
    const download = await served.get(`${path}/2`);
    expect(Buffer.from(await download.arrayBuffer()).equals(large)).toBe(true);
    expect(await (await served.get(`${path}/1`)).text()).toBe('one');
  });

  test('needs no text, and a message without files does', async () => {
    const answer = await served.postForm('a', form({ text: '' }, text('one', 'one.txt')));
    expect(answer.status).toBe(202);
    const { id } = await bodyOf(answer);
    expect(JSON.parse(await (await served.get(`/v1/messages/${id}`)).text())).toMatchObject({
      text: '',
      attachments: [{ name: 'one.txt' }],
    });
    const alone = await served.postForm('a', form({ text: '' }));
    expect(alone.status).toBe(422);
    expect(await bodyOf(alone)).toMatchObject({ errors: [{ pointer: '#/text' }] });
  });

  test('is downloaded so that a browser saves it, and runs nothing of it', async () => {
    const page = new File(['<script>alert(1)</script>'], 'a"b\u202e.html', { type: 'text/html' });
    const { id } = await bodyOf(served.postForm('a', form({ text: 'x' }, page)));
    for (const method of ['GET', 'HEAD']) {
      const answer = await fetch(`${served.base}/v1/messages/${id}/attachments/1`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      });
      expect(answer.status).toBe(200);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': 'text/html',
        'content-length': '25',
        'content-disposition': `attachment; filename="a_b.html"; filename*=UTF-8''a%22b.html`,
        'content-security-policy': "sandbox; default-src 'none'",
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      expect(await answer.text()).toBe(method === 'GET' ? '<script>alert(1)</script>' : '');
    }
  });

  test.each(['0', '2', '01', 'x', '-1'])('has no file %s', async (number) => {
    const { id } = await bodyOf(served.postForm('a', form({ text: 'x' }, text('one', 'one'))));
    const answer = await served.get(`/v1/messages/${id}/attachments/${number}`);
    expect(answer.status).toBe(404);
    expect((await bodyOf(answer)).type).toBe('urn:sd-gateway:problem:unknown-attachment');
    expect((await served.get(`/v1/messages/${id}/reply/attachments/1`)).status).toBe(404);
  });

  test('may be empty, and a form may have no file', async () => {
    const { id } = await bodyOf(served.postForm('a', form({ text: 'x' }, text('', 'empty'))));
    const download = await served.get(`/v1/messages/${id}/attachments/1`);
    expect(download.headers.get('content-length')).toBe('0');
    expect(await download.text()).toBe('');
    expect((await served.postForm('a', form({ text: 'x' }))).status).toBe(202);
  });

  test('with the same key and content is the same message; another file is a conflict', async () => {
    const key = { 'idempotency-key': 'k' };
    const first = await (await served.postForm('a', form({ text: 'x' }, text('1', 'f')), key)).text();
    const again = await served.postForm('a', form({ text: 'x' }, text('1', 'f')), key);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await again.text()).toBe(first);
    for (const other of [[text('2', 'f')], [text('1', 'g')], [], [text('1', 'f'), text('1', 'f')]]) {
      expect((await served.postForm('a', form({ text: 'x' }, ...other), key)).status).toBe(409);
    }
    expect(await storedFiles()).toHaveLength(1);
  });
});

test('the files of a reply are there as well', async () => {
  const { id } = await bodyOf(served.post('a', { text: 'x' }));
  const turn = await served.claim();
  const plot = await putFile(served.store, 'plot.svg', Buffer.from('<svg/>'));
  await served.store.completeTurn(turn, { text: 'see', metadata: {}, attachments: [plot] });
  const path = `/v1/messages/${id}/reply/attachments/1`;
  expect(JSON.parse(await (await served.get(`/v1/messages/${id}`)).text())).toMatchObject({
    attachments: [],
    reply: { attachments: [{ name: 'plot.svg', size: 6, path }] },
  });
  expect(await (await served.get(path)).text()).toBe('<svg/>');
});

describe('a message with the URLs of files', () => {
  const urls = [{ url: 'https://files.example/a.txt' }, { url: 'https://files.example/b', name: 'c.txt' }];
  const fetchFile = async (url: string) => ({
    name: url.split('/').at(-1) ?? null,
    mediaType: 'text/plain',
    content: Readable.from([Buffer.from(url)]),
  });

  beforeEach(async () => {
    await served.dispose();
    served = await serve({ channel: { fetchFile } });
  });

  test('has them once it is taken', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x', attachments: urls }));
    expect(JSON.parse(await (await served.get(`/v1/messages/${id}`)).text()).attachments).toMatchObject([
      { name: 'a.txt', media_type: 'text/plain', size: 27 },
      { name: 'c.txt', size: 23 },
    ]);
    expect(await (await served.get(`/v1/messages/${id}/attachments/2`)).text()).toBe(urls[1]?.url);
  });

  test('is the same again with the same key, and another one with other URLs', async () => {
    const key = { 'idempotency-key': 'k' };
    const first = await (await served.post('a', { text: 'x', attachments: urls }, key)).text();
    expect(await (await served.post('a', { text: 'x', attachments: urls }, key)).text()).toBe(first);
    expect((await served.post('a', { text: 'x', attachments: urls.slice(1) }, key)).status).toBe(409);
    expect((await served.post('a', { text: 'x' }, key)).status).toBe(409);
    expect(await storedFiles()).toHaveLength(2);
  });

  test('is refused if one can’t be had, is too large or too many, or with a form', async () => {
    await served.dispose();
    served = await serve({
      channel: {
        fetchFile: async (url) => {
          if (url.endsWith('away')) throw new FileFetchError('answered 404');
          return {
            ...(await fetchFile(url)),
            content: Readable.from([Buffer.alloc(600_000), Buffer.alloc(600_000)]),
          };
        },
      },
    });
    const refused = async (attachments: readonly object[]) => {
      const answer = await served.post('a', { text: 'x', attachments });
      const { errors, detail } = await bodyOf(answer);
      return [answer.status, errors[0]?.pointer, detail];
    };
    expect(await refused([{ url: 'https://files.example/away' }])).toEqual([
      422,
      '#/attachments/0/url',
      '"attachments/0/url" answered 404.',
    ]);
    expect(await refused(urls)).toEqual([413, '#/attachments/0', expect.stringContaining('file_limit')]);
    expect(await refused([{ name: 'x' }])).toEqual([
      422,
      '#/attachments/0/url',
      '"attachments/0/url" is missing.',
    ]);
    const both = await served.postForm('a', form({ text: 'x', attachments: urls }, text('1', 'f')));
    expect(both.status).toBe(422);
    expect(await storedFiles()).toEqual([]);
  });
});

describe('refused, and nothing of it stays', () => {
  const bytes = (size: number) => new File([Buffer.alloc(size)], 'f');

  test.each([
    ['a file that is too large', 413, '#/attachments/1', 'file_limit', [bytes(1), bytes(1_000_001)]],
    [
      'files that are too large together',
      413,
      '#/attachments/1',
      'total_limit',
      [bytes(900_000), bytes(700_000)],
    ],
    ['too many files', 422, '#/attachments/3', 'count_limit', [bytes(1), bytes(1), bytes(1), bytes(1)]],
  ])('%s', async (_what, status, pointer, key, files) => {
    const answer = await served.postForm('a', form({ text: 'x' }, ...files));
    expect(answer.status).toBe(status);
    const { errors, detail } = await bodyOf(answer);
    expect(errors).toMatchObject([{ pointer }]);
    expect(detail).toContain(`attachments.${key}`);
    expect(await storedFiles()).toEqual([]);
    expect(served.accepted).toEqual([]);
  });

  test('a form that says at once that it is too large', async () => {
    const answer = await served.postForm('a', form({ text: 'x' }, bytes(3_000_000)));
    expect(answer.status).toBe(413);
    expect((await bodyOf(answer)).detail).toContain('attachments.total_limit');
  });

  test('a message that is not valid, before its files are read', async () => {
    const answer = await served.postForm('a', form({ txet: 'x' }, bytes(900_000)));
    expect(answer.status).toBe(422);
    expect((await bodyOf(answer)).errors).toMatchObject([{ pointer: '#/text' }, { pointer: '#/txet' }]);
    expect(await storedFiles()).toEqual([]);
  });

  test('a form whose message is missing, a file, or not the first', async () => {
    const late = new FormData();
    late.append('file', text('1', 'f'));
    late.append('message', '{"text":"x"}');
    const asFile = new FormData();
    asFile.append('message', new File(['{"text":"x"}'], 'm', { type: 'application/json' }));
    for (const each of [late, asFile, new FormData()]) {
      const answer = await served.postForm('a', each);
      expect([400, 422]).toContain(answer.status);
      expect((await bodyOf(answer)).detail).toMatch(/"message"|boundary/);
    }
    const noFile = form({ text: 'x' });
    noFile.append('file', 'no file');
    expect((await bodyOf(served.postForm('a', noFile))).detail).toContain('no filename');
    expect(await storedFiles()).toEqual([]);
  });

  test.each([
    ['without a boundary', 'multipart/form-data', 'x'],
    ['with another boundary', 'multipart/form-data; boundary=a', '--b\r\n\r\n--b--'],
    [
      'cut off',
      'multipart/form-data; boundary=a',
      '--a\r\nContent-Disposition: form-data; name="message"\r\n\r\n{"te',
    ],
  ])('a form %s', async (_what, type, body) => {
    const answer = await served.post('a', body, { 'content-type': type });
    expect(answer.status).toBe(400);
    expect((await bodyOf(answer)).type).toBe('urn:sd-gateway:problem:malformed-request');
  });

  test('a form for a call that takes none', async () => {
    const answer = await fetch(`${served.base}/v1/sessions/a/policy`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: form({ policy: 'collect' }),
    });
    expect(answer.status).toBe(415);
  });

  test('a message that the store has no room for', async () => {
    await served.dispose();
    served = await serve({
      over: {
        putBlob: async () => {
          throw new StoreError('full', 'no room');
        },
      },
    });
    const answer = await served.postForm('a', form({ text: 'x' }, bytes(10)));
    expect(answer.status).toBe(507);
  });

  test('the files of a message that is refused later', async () => {
    await served.dispose();
    served = await serve({ settings: { queue: { session: 1, total: 10 } } });
    await served.post('a', { text: 'x' });
    expect((await served.postForm('a', form({ text: 'x' }, bytes(10)))).status).toBe(429);
    expect(await storedFiles()).toEqual([]);
  });

  test('an upload whose client goes away', async () => {
    const connection = await rawConnection(served.base);
    const begin =
      '--x\r\nContent-Disposition: form-data; name="message"\r\n\r\n{"text":"x"}\r\n' +
      '--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n';
    connection.write(
      `POST /v1/sessions/a/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 500000\r\n\r\n${begin}${'a'.repeat(300_000)}`,
    );
    await expect.poll(storedFiles, patient).toHaveLength(1);
    connection.end();
    await expect.poll(storedFiles, patient).toHaveLength(0);
    expect(served.records).toEqual([]);
  });
});

test('one upload more than there may be is told to come again', async () => {
  const slow = [await rawConnection(served.base), await rawConnection(served.base)];
  for (const each of slow) {
    each.write(
      `POST /v1/sessions/a/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
        'Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n',
    );
    await each.until('100 Continue');
  }
  const answer = await served.postForm('a', form({ text: 'x' }, text('1', 'f')));
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('5');
  expect((await bodyOf(answer)).type).toBe('urn:sd-gateway:problem:too-many-uploads');
  // JSON takes none of them.
  expect((await served.post('a', { text: 'x' })).status).toBe(202);
  for (const each of slow) each.end();
  await expect.poll(async () => (await served.postForm('a', form({ text: 'x' }))).status, patient).toBe(202);
});
