// The program of a channel of the crash tests (docs/channels/protocol.md), with a directory as its platform:
//   in        messages, one JSON line each: {"id": …, "chat": …, "text": …}
//   acked     ids of those that the gateway has stored: the others come again with the next start
//   out       all that was sent, one JSON line each
//   mistakes  what the gateway did that it should not
//   well      there once it is to be well
// It ends now and then, unless SEED is "well" or it is to be well, and answers by its capability.
//   node channel-program.mjs DIRECTORY SEED [reconcile|idempotent]
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { randomOf } from './agent-plan.mjs';

const [directory, seed, ...capabilities] = process.argv.slice(2);
const path = (name) => `${directory}/${name}`;
const lines = (name) => readFileSync(path(name), 'utf8').split('\n').slice(0, -1);
const append = (name, text) => appendFileSync(path(name), `${text}\n`);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

appendFileSync(path('starts'), '.');
const random =
  seed === 'well' ? { chance: () => false } : randomOf(seed, directory, statSync(path('starts')).size);
const endsNow = (part) => random.chance(part) && !existsSync(path('well')) && process.exit(3);

let told = 0;
let readBytes = 0;
let stops = false;

/** Tells of what is new; at the start of all that was not acknowledged. */
function tell(acked) {
  if (stops || statSync(path('in')).size === readBytes) return;
  const all = lines('in');
  readBytes = all.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  for (const line of all.slice(told)) {
    told += 1;
    const message = JSON.parse(line);
    if (acked.has(message.id)) continue;
    say({ type: 'inbound', person: 'ada', group: false, cursor: told, ...message });
    endsNow(0.01);
  }
}

const did = {
  start({ cursor }) {
    const acked = new Set(lines('acked'));
    const last = Math.max(0, ...[...acked].map(Number));
    // A message and its cursor are on disk before it is acknowledged.
    if ((cursor ?? 0) < last)
      append('mistakes', JSON.stringify({ mistake: `${last} was stored, and the cursor is ${cursor}` }));
    say({ type: 'ready', protocol: 1, capabilities });
    setInterval(() => tell(acked), 20);
  },
  stored({ id }) {
    append('acked', id);
    endsNow(0.005);
  },
  refused({ id, reason }) {
    append('mistakes', JSON.stringify({ mistake: `${id} was refused: ${reason}` }));
  },
  send({ id, to, text }) {
    endsNow(0.01);
    if (random.chance(0.05)) return say({ type: 'not_sent', id, reason: 'busy', retry_after: 0.1 });
    append('out', JSON.stringify({ id, to, text }));
    endsNow(0.02);
    if (random.chance(0.03)) return say({ type: 'unknown', id, reason: 'the connection broke' });
    // No answer at all is one in doubt as well.
    if (!random.chance(0.01)) say({ type: 'sent', id });
  },
  reconcile({ id }) {
    const isThere = lines('out').some((line) => JSON.parse(line).id === id);
    say(isThere ? { type: 'sent', id } : { type: 'not_sent', id, reason: 'it is not there' });
  },
  health: ({ id }) => say({ type: 'healthy', id }),
  stop() {
    stops = true;
  },
};

createInterface(process.stdin)
  .on('line', (text) => {
    const line = JSON.parse(text);
    did[line.type]?.(line);
  })
  .once('close', () => process.exit(0));
