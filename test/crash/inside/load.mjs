// Clients that post messages until its standard input ends, each in a session of its own, whose name says what it does
// with them (../kinds.ts). Each asks for the next thing once the last one was answered. Then prints, as JSON, how many
// messages of each session were accepted, and what else was seen.
//   node load.mjs '{"port": 8733, "tokenFile": "…", "receiver": 9100, "turns": "…", "clients": {"client": 20, …},
//     "pause": 100}'    turns: the agent's file
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './client.mjs';

const { tokenFile, clients, pause: between, ...rest } = JSON.parse(process.argv[2]);
const options = { ...rest, authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
const seen = { accepted: {}, cancels: [], repeated: 0, refusals: {}, mistakes: [] };
let ended = false;

const chance = (part) => Math.random() < part;
const upTo = (most) => 1 + Math.floor(Math.random() * most);
/** About as long as a turn of these kinds. */
const moment = () => pause(Math.random() * 300);

/** What a client does again and again. */
const doings = {
  client: (client) => client.post(),
  once: (client) => client.post({ once: true }),
  async collect(client) {
    let last;
    for (let left = upTo(5); left > 0; left -= 1) last = await client.post();
    if (chance(0.7)) return;
    await moment();
    if (chance(0.5)) await client.cancel(last);
    else await client.cancelSession();
  },
  async interrupt(client) {
    for (let left = upTo(4); left > 0; left -= 1) {
      client.noteInterrupted((await client.post({ stubborn: chance(0.2) })).number);
      await moment();
    }
  },
  async cancel(client) {
    const posted = [];
    for (let left = upTo(3); left > 0; left -= 1) posted.push(await client.post({ stubborn: chance(0.2) }));
    await moment();
    if (chance(0.5)) await client.cancel(posted[upTo(posted.length) - 1]);
    else if (chance(0.3)) await client.cancelSession();
  },
};
/** So many messages are posted each time, in the mean: all kinds of sessions have about as many. */
const burst = { client: 1, once: 1, collect: 3, interrupt: 2, cancel: 2 };

async function run(kind, number) {
  const client = new Client(`${kind}-${number}`, options, seen);
  if (kind === 'collect' || kind === 'interrupt') await client.setPolicy(kind);
  while (!ended) {
    await doings[kind](client);
    await pause(between * burst[kind] * (0.5 + Math.random()));
  }
  client.end();
}

process.stdin.once('end', () => {
  ended = true;
});
process.stdin.resume();
const running = Object.entries(clients).flatMap(([kind, count]) =>
  Array.from({ length: count }, (_, index) => run(kind, index)),
);
await Promise.all(running);
// Only once all of it is written: of a long run it is more than a pipe holds.
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
