import { accepted } from './invariants/accepted.js';
import { attempts } from './invariants/attempts.js';
import { cancels } from './invariants/cancels.js';
import { channels } from './invariants/channels.js';
import { collected } from './invariants/collected.js';
import { ends } from './invariants/ends.js';
import { received } from './invariants/received.js';
import { turns } from './invariants/turns.js';
import type { Record } from './record.js';

/** Lists each thing that must be true of the record of a run, whatever happened, and is not. */
export function violationsOf(record: Record): string[] {
  return [accepted, ends, turns, received, cancels, collected, attempts, channels].flatMap((check) =>
    check(record),
  );
}
