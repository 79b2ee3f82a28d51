// A record with ten fields:   node journal.mjs own|pino COUNT BURST
// "own" speaks journald's protocol; "pino" writes a line to standard output, whoever reads that.
import { inBursts, report } from './bursts.mjs';

const [contender, count, burst] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const message = (i) => `Turn ${i} of session chat:42 replied`;

if (contender === 'own') {
  const { journalSend } = await import('../../dist/systemd/journal.js');
  report(
    inBursts(count, burst, (i) => {
      const { outcome } = journalSend([
        ['MESSAGE', message(i)],
        ['PRIORITY', '6'],
        ['SYSLOG_IDENTIFIER', 'bench'],
        ['MESSAGE_ID', '8d45620c1a4348dbb17410da57c60c66'],
        ['SESSION', 'chat:42'],
        ['TURN', '01a208d4-6fa1-7405-ae6c-4a944ef783dc'],
        ['ATTEMPT', '1'],
        ['AGENT', 'echo'],
        ['DURATION_USEC', '1234'],
        ['OUTCOME', 'replied'],
      ]);
      if (outcome !== 'sent') throw new Error(`It was not sent at once: ${outcome}`);
    }),
  );
} else {
  const { pino, destination } = await import('pino');
  // Its own default: each line is written before the call returns.
  const log = pino({ name: 'bench', base: { pid: process.pid } }, destination({ fd: 1, sync: true }));
  report(
    inBursts(count, burst, (i) =>
      log.info(
        {
          message_id: '8d45620c1a4348dbb17410da57c60c66',
          session: 'chat:42',
          turn: '01a208d4-6fa1-7405-ae6c-4a944ef783dc',
          attempt: 1,
          agent: 'echo',
          duration_usec: 1234,
          outcome: 'replied',
        },
        message(i),
      ),
    ),
  );
}
