import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChannelContext } from '../../../src/channels/channel.js';
import type { ArrivedMail } from '../../../src/channels/email/lmtp-session.js';
import { LmtpSource } from '../../../src/channels/email/lmtp-source.js';
import { systemClock } from '../../../src/lifecycle/effects/clock.js';
import { StoreError } from '../../../src/store/store-error.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { withTurns } from '../../support/turns.js';

const limitBytes = 256 * 1024;

let folder: string;
let source: LmtpSource;
let taken: ArrivedMail[];
/** Awaited before a mail is on disk. */
let storing: () => Promise<void>;

class Client {
  readonly #socket: Socket;
  #heard = '';
  /** All answers with their texts. */
  said = '';
  #isOver = false;
  #wake = () => {};

  constructor() {
    this.#socket = connect(join(folder, 's')).on('error', () => undefined);
    this.#socket.setEncoding('latin1').on('data', (text: string) => {
      this.#heard += text;
      this.said += text;
      this.#wake();
    });
    this.#socket.on('close', () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  write(text: string | Buffer): void {
    this.#socket.write(text);
  }

  /** The next so many answers, by their codes; a multiline answer is one. At the end of the connection: "end". */
  async hears(count: number): Promise<readonly string[]> {
    const codes: string[] = [];
    while (codes.length < count) {
      const match = /^(?:\d{3}-.*\r\n)*(\d{3}) .*\r\n/.exec(this.#heard);
      if (match !== null) {
        codes.push(match[1] ?? '');
        this.#heard = this.#heard.slice(match[0].length);
      } else if (this.#isOver) return [...codes, 'end'];
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    return codes;
  }

  leave(): void {
    this.#socket.destroy();
  }
}

const envelope = 'LHLO x\r\nMAIL FROM:<ada@example.org> SIZE=10\r\nRCPT TO:<a@x>\r\n';
const begun = ['220', '250', '250', '250', '354'];

/** Sends a mail, and gives the codes behind 354. */
async function sent(data: string | Buffer, answers = 1): Promise<readonly string[]> {
  const client = new Client();
  client.write(`${envelope}DATA\r\n`);
  expect(await client.hears(5)).toEqual(begun);
  client.write(data);
  return client.hears(answers);
}

const bodies = () => taken.map(({ bytes }) => bytes.toString());

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-lmtp-'));
  taken = [];
  storing = async () => {};
  source = new LmtpSource({
    context: { name: 'mail', clock: systemClock, log: new RecordingLog() } as unknown as ChannelContext,
    path: join(folder, 's'),
    messageLimitBytes: limitBytes,
    take: async (mail) => {
      await storing();
      taken.push(mail);
    },
  });
  await source.start();
});
afterEach(async () => {
  await source.close(1_000);
  rmSync(folder, { recursive: true, force: true });
});

it('names its own key where it can’t listen', async () => {
  const context = { name: 'post', clock: systemClock, log: new RecordingLog() } as unknown as ChannelContext;
  const path = join(folder, 'missing/s');
  const lost = new LmtpSource({ context, path, messageLimitBytes: limitBytes, take: async () => undefined });
  await expect(lost.start()).rejects.toThrow(
    `Can't listen on unix:${path}: the directory does not exist. Make it, or set channels.post.lmtp to another path.`,
  );
  await lost.close(0);
});

describe('a mail', () => {
  it('is said to be taken, whether it is stored or left out', async () => {
    const client = new Client();
    client.write(`${envelope}DATA\r\n`);
    await client.hears(5);
    client.write('.\r\n');
    await client.hears(1);
    expect(client.said).toMatch(/^250 2\.0\.0 Taken\r\n$/m);
  });

  it('ends at its dot alone, wherever its bytes are cut on their way', async () => {
    const client = new Client();
    client.write('LHLO x\r\n');
    await client.hears(2);
    const units = fc.constantFrom('a', '.', '\r', '\n', '\r\n', '\r\n..', '\n.', '.\r\n');
    await fc.assert(
      fc.asyncProperty(fc.array(units, { maxLength: 12 }), fc.nat(20), async (parts, at) => {
        const data = `${parts.join('')}\r\n.\r\n`;
        const end = `\r\n${data}`.indexOf('\r\n.\r\n');
        const wanted = `\r\n${data}`
          .slice(0, end + 2)
          .replaceAll('\r\n.', '\r\n')
          .slice(2);
        // Behind its end there is nothing but the next command.
        const sentData = data.slice(0, end + 3);
        client.write('MAIL FROM:<ada@example.org>\r\nRCPT TO:<a@x>\r\nDATA\r\n');
        expect(await client.hears(3)).toEqual(['250', '250', '354']);
        client.write(sentData.slice(0, at));
        await new Promise((resolve) => setImmediate(resolve));
        client.write(sentData.slice(at));
        expect(await client.hears(1)).toEqual(['250']);
        expect(bodies().at(-1)).toBe(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('is read a little in each turn of the event loop', async () => {
    const { result, turns } = await withTurns(() => sent(`${'\r\n'.repeat(1_000_000)}.\r\n`));
    expect(result).toEqual(['250']);
    expect(taken[0]?.sizeBytes).toBe(2_000_000);
    expect(turns).toBeGreaterThan(2_000_000 / 16_384);
  });

  it('is answered for each recipient once it is on disk, though all came at once', async () => {
    let isStored = () => {};
    storing = () =>
      new Promise((resolve) => {
        isStored = resolve;
      });
    const client = new Client();
    client.write(`${envelope}RCPT TO:<b@x> NOTIFY=NEVER\r\nDATA\r\nSubject: x\r\n\r\nHello\r\n.\r\nNOOP\r\n`);
    expect(await client.hears(6)).toEqual(['220', '250', '250', '250', '250', '354']);
    const answers = client.hears(3);
    expect(await Promise.race([answers, new Promise((resolve) => setTimeout(resolve, 20, 'none yet'))])).toBe(
      'none yet',
    );
    isStored();
    expect(await answers).toEqual(['250', '250', '250']);
    expect(bodies()).toEqual(['Subject: x\r\n\r\nHello\r\n']);
    expect(taken[0]?.returnPath).toBe('ada@example.org');
    client.write(`MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nDATA\r\nagain\r\n.\r\nQUIT\r\n`);
    const rest = client.hears(6);
    isStored();
    await expect
      .poll(() => {
        isStored();
        return taken.length;
      })
      .toBe(2);
    expect(await rest).toEqual(['250', '250', '354', '250', '221', 'end']);
    expect(taken[1]?.returnPath).toBe('');
  });

  it('is the same when its bytes come one by one', async () => {
    const client = new Client();
    for (const byte of Buffer.from(`${envelope}DATA\r\na\r\n..b\r\n.\r\n`)) {
      client.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    expect(await client.hears(6)).toEqual([...begun, '250']);
    expect(bodies()).toEqual(['a\r\n.b\r\n']);
  });

  it.each([
    ['a dot between line feeds', 'a\n.\nMAIL FROM:<evil@x>\r\n'],
    ['a dot behind a line feed', 'a\n.\r\nMAIL FROM:<evil@x>\r\n'],
    ['a dot before a line feed', 'a\r\n.\nMAIL FROM:<evil@x>\r\n'],
    ['a dot between returns', 'a\r.\rMAIL FROM:<evil@x>\r\n'],
    ['a dot behind a long line', `${'a'.repeat(65_536)}.\r\nb\r\n`],
  ])('does not end at %s', async (_what, text) => {
    expect(await sent(`${text}\r\n.\r\n`)).toEqual(['250']);
    expect(taken).toHaveLength(1);
    expect(bodies()[0]).toContain(text.slice(-8));
  });

  it('keeps its bytes, dots apart', async () => {
    const bytes = Buffer.from([...Array(256).keys()].filter((byte) => byte !== 10 && byte !== 13));
    expect(await sent(Buffer.concat([bytes, Buffer.from('\r\n..\r\n...x\r\n.\r\n')]))).toEqual(['250']);
    expect(taken[0]?.bytes).toEqual(Buffer.concat([bytes, Buffer.from('\r\n.\r\n..x\r\n')]));
  });

  it('is taken in part, if it is too large', async () => {
    const line = `${'x'.repeat(998)}\r\n`;
    expect(await sent(`${line.repeat(1_000)}.\r\n`)).toEqual(['250']);
    expect(taken).toMatchObject([{ sizeBytes: 1_000_000 }]);
    expect(taken[0]?.bytes.length).toBe(65_536);
  });

  it.each([
    ['full', '452'],
    ['unavailable', '451'],
    ['closed', '451'],
  ] as const)('stays with the server if the store is %s', async (reason, code) => {
    storing = () => Promise.reject(new StoreError(reason, 'The store does not take it.'));
    expect(await sent('x\r\n.\r\n')).toEqual([code]);
    storing = async () => {};
    expect(await sent('x\r\n.\r\n')).toEqual(['250']);
  });

  it('that does not end is nobody’s', async () => {
    const client = new Client();
    client.write(`${envelope}DATA\r\nhalf`);
    expect(await client.hears(5)).toEqual(begun);
    client.leave();
    expect(await sent('x\r\n.\r\n')).toEqual(['250']);
    expect(bodies()).toEqual(['x\r\n']);
  });

  it('waits with the server while too many others are on their way', async () => {
    const others = Array.from({ length: 4 }, () => new Client());
    for (const client of others) {
      client.write(`${envelope}DATA\r\n${'x'.repeat(limitBytes - 1_000)}\r\n`);
      expect(await client.hears(5)).toEqual(begun);
    }
    await expect.poll(async () => (await sent(`${'x'.repeat(60_000)}\r\n.\r\n`))[0]).toBe('452');
    for (const client of others) client.leave();
    await expect.poll(async () => (await sent('x\r\n.\r\n'))[0]).toBe('250');
  });
});

describe('a command', () => {
  it.each([
    ['MAIL FROM:<a@x>', ['503']],
    ['EHLO x', ['500']],
    ['LHLO x\r\nRCPT TO:<a@x>', ['250', '503']],
    ['LHLO x\r\nDATA', ['250', '503']],
    ['LHLO x\r\nMAIL FROM:<a@x>\r\nDATA', ['250', '250', '503']],
    ['LHLO x\r\nMAIL FROM:<a@x>\r\nMAIL FROM:<b@x>', ['250', '250', '503']],
    ['LHLO x\r\nMAIL FROM:a@x', ['250', '501']],
    ['LHLO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<>', ['250', '250', '501']],
    ['lhlo x\r\nmail from:<a@x>\r\nrset\r\nRCPT TO:<a@x>', ['250', '250', '250', '503']],
    [`NOOP ${'x'.repeat(100_000)}\r\nNOOP`, ['500', '250']],
    ['\0\xff\r\nVRFY x', ['500', '252']],
    ['QUIT', ['221', 'end']],
  ])('%j', async (text, codes) => {
    const client = new Client();
    client.write(`${text}\r\n`);
    expect(await client.hears(codes.length + 1)).toEqual(['220', ...codes]);
  });

  it('may name a hundred recipients', async () => {
    const client = new Client();
    client.write(`LHLO x\r\nMAIL FROM:<a@x>\r\n${'RCPT TO:<a@x>\r\n'.repeat(101)}DATA\r\nx\r\n.\r\n`);
    const codes = await client.hears(3 + 101 + 1 + 100);
    expect(codes.filter((code) => code === '452')).toHaveLength(1);
    expect(codes.slice(105)).toEqual(Array(100).fill('250'));
    expect(taken).toHaveLength(1);
  });

  it('may be wrong twenty times', async () => {
    const client = new Client();
    client.write('x\r\n'.repeat(1_000));
    expect(await client.hears(30)).toEqual(['220', ...Array(21).fill('500'), '421', 'end']);
  });
});

it('has twenty connections', async () => {
  const clients = Array.from({ length: 21 }, () => new Client());
  const greetings = await Promise.all(clients.map(async (client) => (await client.hears(1))[0]));
  expect(greetings.sort()).toEqual([...Array(20).fill('220'), '421']);
  for (const client of clients) client.leave();
});

it('answers a mail that is on its way to the disk when it stops, and takes no other', async () => {
  let isStored = () => {};
  storing = () =>
    new Promise((resolve) => {
      isStored = resolve;
    });
  const client = new Client();
  client.write(`${envelope}DATA\r\nx\r\n.\r\n`);
  expect(await client.hears(5)).toEqual(begun);
  await expect.poll(() => isStored !== undefined && taken.length === 0).toBe(true);
  source.stopAccepting();
  const closing = source.close(2_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  isStored();
  expect(await client.hears(2)).toEqual(['250', 'end']);
  await closing;
  expect(taken).toHaveLength(1);
});
