import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MailFaults, type Row, rows, shortRows } from './mail-faults.js';
import { MailScene } from './mail-scene.js';
import { hasMailServers } from './mail-servers.js';

/**
 * Postfix and Dovecot, and the gateway between them: each is killed, paused and filled, and their connections are cut, at each
 * step of SMTP, LMTP and IMAP. The table of docs/channels/ says what holds: no mail is lost, none is taken twice, replies come
 * in their order, and only one whose send was in doubt comes twice.
 *
 * `MAIL_FAULTS=all`: the whole table, as `npm run test:all` runs it. Another value is a regular expression for names of rows.
 */
const chosen = process.env['MAIL_FAULTS'] === undefined ? shortRows : rows;
const named = process.env['MAIL_FAULTS'] ?? 'all';
const scene = new MailScene();
const faults = new MailFaults(scene);

beforeAll(async () => {
  if (!hasMailServers) return;
  await scene.open();
  await scene.channelsUp();
}, 60_000);

afterAll(() => scene.close());

const nameOf = ({ link, step, moment, fault }: Row) => `${link}: ${fault}, ${step} ${moment}`;

for (const row of chosen.filter((each) => named === 'all' || new RegExp(named).test(nameOf(each)))) {
  test.skipIf(!hasMailServers)(nameOf(row), { timeout: 60_000 }, async () => {
    expect(await faults.run(row)).toEqual({ lost: [], takenTwice: [], outOfOrder: [], doubled: row.doubled });
  });
}

test.skipIf(!hasMailServers)(
  'a reply in doubt waits for a person if the channel asks',
  { timeout: 60_000 },
  async () => {
    const reached = scene.proxy('smtp').at({ step: 'mail', moment: 'during' }, async () => 'cut');
    const texts = ['in doubt', 'behind it'];
    for (const [index, text] of texts.entries()) await scene.write('ask', 'asked', index + 1, text);
    await reached;
    const states = async () => (await scene.stored(scene.session('ask', 'asked'))).map(({ state }) => state);
    await vi.waitFor(async () => expect(await states()).toEqual(['dead', 'delivered']), 20_000);
    const came = () =>
      texts.map((text) => scene.answers().filter((mail) => mail.includes(`\n${text}\n`)).length);
    await vi.waitFor(() => expect(came()).toEqual([1, 1]), 20_000);
  },
);
