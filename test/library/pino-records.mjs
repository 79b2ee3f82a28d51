// Records of pino and of journalLog, for the journal of a machine.
import pino from 'pino';
import { journalDestination, journalLog } from '../../dist/library/logging.js';

const log = pino({ level: 'trace' }, journalDestination());
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) log[level](`level ${level}`);
log.info({ requestId: 7, messageId: '0123456789abcdef0123456789abcdef' }, 'with fields');
log.child({ part: 'child' }).info('several\nlines');
log.error(new Error('broken'));
log.info({ payload: Buffer.from([0, 10, 255]) }, 'bytes');
const labelled = pino({ formatters: { level: (label) => ({ level: label }) } }, journalDestination());
labelled.error('by label');
journalLog('notice', 'a plain call', { PAYLOAD: Buffer.from([0, 10, 255]), SEVERAL: ['one', 'two\nlines'] });
