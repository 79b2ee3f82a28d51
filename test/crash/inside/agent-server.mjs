// The agents of the crash tests behind HTTP: a server of chat completions at /v1, and one at /turns that turns are posted
// to. They misbehave by a plan (agent-plan.mjs), and write down when each turn begins and ends, and if two of a session
// run at a time. Lines of standard input: "away" (nobody listens), "back". Prints at its end, as JSON, what the gateway did
// that it should not, and the number of answers that were no good ones.
//   node agent-server.mjs PORT GATEWAYPORT TURNSFILE SEED
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { behaviourOf } from './agent-plan.mjs';
import { chatBehaviours, chatTurn } from './chat-faults.mjs';
import { turnBehaviours, turnOf } from './turn-faults.mjs';

const [port, gatewayPort, turnsFile, seed] = process.argv.slice(2);
/** Time in which this process learns that a connection was closed before another one was opened. */
const graceMs = 250;
const mistakes = [];
let misbehaved = 0;
/** Requests for each message. */
const tries = new Map();
/** The last turn of each session, and its answer. */
const running = new Map();

const note = (kind, { session, message, attempt }) =>
  appendFileSync(turnsFile, `${kind} ${session} ${message} ${attempt}\n`);

const agents = {
  '/v1/chat/completions': { read: chatTurn, behaviours: chatBehaviours },
  '/turns': { read: turnOf, behaviours: turnBehaviours(gatewayPort, mistakes) },
};

async function noteOverlap(turn, before) {
  if (before === undefined || before.closed || before.writableEnded) return;
  await pause(graceMs);
  if (!before.closed && !before.writableEnded) note('overlap', turn);
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const { read, behaviours } = agents[request.url];
    const turn = read(JSON.parse(Buffer.concat(chunks)), request.headers);
    const { session, message } = turn;
    note('begin', turn);
    void noteOverlap(turn, running.get(session));
    running.set(session, response);
    const key = `${session} ${message}`;
    const count = (tries.get(key) ?? 0) + 1;
    tries.set(key, count);
    const weights = Object.fromEntries(Object.entries(behaviours).map(([name, [weight]]) => [name, weight]));
    const behaviour = behaviourOf(weights, seed, session, message, count);
    if (behaviour !== 'well') misbehaved += 1;
    await behaviours[behaviour][1](response, turn, () => note('end', turn));
  });
});

const listen = () => server.listen(Number(port), '127.0.0.1');
listen();
createInterface(process.stdin).on('line', (line) => {
  if (line === 'back') listen();
  if (line !== 'away') return;
  server.close();
  server.closeAllConnections();
});
process.stdin.once('end', () => {
  process.stdout.write(`${JSON.stringify({ mistakes, misbehaved })}\n`, () => process.exit(0));
});
