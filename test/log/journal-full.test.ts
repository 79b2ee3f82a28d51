import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLog } from '../../src/log/create-log.js';
import { journalFlush } from '../../src/systemd/journal.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

it('waits for nobody when journald takes nothing, and says how many records are missing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-journal-full-'));
  const journalSocket = join(folder, 'socket');
  const receiver = await DatagramReceiver.open(journalSocket);
  const output = join(folder, 'stderr');
  const standardError = openSync(output, 'w');
  const log = createLog({
    destination: 'journal',
    colour: false,
    level: 'info',
    standardError,
    identifier: 'test',
    journalSocket,
  });
  const said = 6_000;
  for (let record = 1; record <= said; record++) log.info(`Record ${record}`);
  // It would be journald's, too, and whoever writes to it waits.
  expect(readFileSync(output, 'utf8')).toBe('');
  let taken = 0;
  while (!journalFlush(0)) taken += await receiver.pending();
  taken += await receiver.pending();
  expect(taken).toBeGreaterThan(4_000);
  expect(taken).toBeLessThan(said);

  log.info('Journald is back.');
  expect((await receiver.next()).text).toContain(
    `MESSAGE=${said - taken} records are missing here: journald took nothing for a while.\nPRIORITY=4\n`,
  );
  expect((await receiver.next()).text).toContain('MESSAGE=Journald is back.\n');
  log.info('And stays.');
  expect((await receiver.next()).text).toContain('MESSAGE=And stays.\n');
  await receiver.close();
  closeSync(standardError);
  rmSync(folder, { recursive: true });
});
