// Clients that post messages until its standard input ends, each in a session of its own, whose name says what it does
// with them (../kinds.ts). Each asks for the next thing once the last one was answered. Then prints, as JSON, how many
// messages of each session were accepted, and what else was seen.
//   node load.mjs '{"port": 8733, "tokenFile": "…", "receiver": 9100, "turns": "…", "clients": {"client": 20, …},
//     "pause": 100, "seed": 1, "hookSecret": "…"}'    turns: the agent's file; the seed determines what each client does
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from './client.mjs';
import { Random } from './random.mjs';

const { tokenFile, clients, pause: between, seed, ...rest } = JSON.parse(process.argv[2]);
const options = { ...rest, authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
const seen = { accepted: {}, cancels: [], repeated: 0, refusals: {}, mistakes: [] };
let ended = false;

/** About as long as a turn of these kinds. */
const moment = (random) => pause(random.next() * 300);

/**
 * Acts that a client repeats again and again. Each has numbers of its own: the speed of another one does not change
 * them.
 */
const doings = {
  client: (client) => client.post(),
  once: (client) => client.post({ once: true }),
  hook: (client) => client.deliver(),
  async collect(client, random) {
    let last;
    for (let left = random.between(1, 5); left > 0; left -= 1) last = await client.post();
    if (random.chance(0.7)) return;
    await moment(random);
    if (random.chance(0.5)) await client.cancel(last);
    else await client.cancelSession();
  },
  async interrupt(client, random) {
    for (let left = random.between(1, 4); left > 0; left -= 1) {
      client.noteInterrupted((await client.post({ stubborn: random.chance(0.2) })).number);
      await moment(random);
    }
  },
  async cancel(client, random) {
    const posted = [];
    for (let left = random.between(1, 3); left > 0; left -= 1) {
      posted.push(await client.post({ stubborn: random.chance(0.2) }));
    }
    await moment(random);
    if (random.chance(0.5)) await client.cancel(posted[random.between(1, posted.length) - 1]);
    else if (random.chance(0.3)) await client.cancelSession();
  },
};
for (const kind of ['acp', 'openai', 'http']) {
  doings[kind] = async (client, random) => {
    const posted = await client.post();
    if (random.chance(0.75)) return;
    await moment(random);
    await client.cancel(posted);
  };
}
/**
 * So many messages are posted each time, in the mean: all kinds of sessions have about as many. Fewer of those whose agents
 * take longer.
 */
const burst = {
  client: 1,
  once: 1,
  hook: 4,
  collect: 3,
  interrupt: 2,
  cancel: 2,
  acp: 4,
  openai: 4,
  http: 4,
};

async function run(kind, number, random) {
  const session = kind === 'hook' ? `hook:chat-${number}` : `${kind}-${number}`;
  const client = new Client(session, options, seen);
  if (kind === 'collect' || kind === 'interrupt') await client.setPolicy(kind);
  while (!ended) {
    await doings[kind](client, random);
    await pause(between * burst[kind] * (0.5 + random.next()));
  }
  client.end();
}

process.stdin.once('end', () => {
  ended = true;
});
process.stdin.resume();
const seeds = new Random(seed);
const running = Object.entries(clients).flatMap(([kind, count]) =>
  Array.from({ length: count }, (_, index) => run(kind, index, new Random(seeds.between(0, 2 ** 32 - 1)))),
);
await Promise.all(running);
// Only once all of it is written: of a long run it is more than a pipe holds.
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
