// The faults of the crash tests' agent that speaks ACP, for test/support/acp-agent.mjs: how its processes start, and what
// its turns do. It writes down when each turn begins and ends.
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { behaviourOf, randomOf } from './agent-plan.mjs';

const seed = readFileSync('/run/tester/seed', 'utf8').trim();
const session = process.env.SD_GATEWAY_SESSION;
const turnsFile = '/run/tester/turns';
const startsFile = `/run/tester/starts/${session}`;

const ways = [
  { resume: true },
  { load: true },
  { load: 'late' },
  { load: 'empty' },
  { resume: 'refused', load: true },
  {},
];
const startFaults = [
  { dieAt: 'initialize' },
  { dieAt: 'session/new' },
  { dieAt: 'session/resume' },
  { dieAt: 'session/load' },
  { hangAt: 'session/new' },
  { deaf: true },
];

function optionsOf(start) {
  const random = randomOf(seed, session, 'start', start);
  const one = (all) => all[random.between(0, all.length - 1)];
  const options = { ...one(ways), noCancel: random.chance(0.3), stubborn: random.chance(0.2) };
  // Never two in a row, as each one makes the wait for the next longer.
  return start % 2 === 0 && random.chance(0.2) ? { ...options, ...one(startFaults) } : options;
}

/** A weight and the script of a turn, in which REPLY stands for the steps of the reply. */
const behaviours = {
  late: [3, 'sleep 300\nREPLY'],
  chatty: [3, 'think well\nplan\ntool t1 read file\nextras\nelsewhere no\nflood 500\nREPLY'],
  garbage: [3, 'garbage 30\nREPLY'],
  'answers twice': [3, 'REPLY\ntwice'],
  'goes on behind its answer': [3, 'REPLY\nlate more'],
  'is cut short': [2, 'REPLY\nend max_tokens'],
  'a frame of 100 MB': [2, 'line 100'],
  'a frame without end': [2, 'endless'],
  'requests without end': [2, 'requests'],
  'an error': [3, 'say no\nerror -32603 broken'],
  'says that it was cancelled': [2, 'say no\nend cancelled'],
  'says nothing': [2, 'end end_turn'],
  'dies at once': [3, 'die'],
  exits: [2, 'say no\ndie 3'],
  'dies in a frame': [3, 'say no\nhalf'],
  'dies before its answer': [3, 'REPLY\ndie'],
  'closes its output': [1, 'eof'],
  hangs: [2, 'say no\nhang'],
  'asks and is denied': [3, 'request execute ar work\nREPLY'],
  'asks and may': [2, 'request read ar file\nREPLY'],
  'asks and dies': [3, 'askAndDie'],
};
const weights = Object.fromEntries(Object.entries(behaviours).map(([name, [weight]]) => [name, weight]));

function note(kind, { _meta: { message_id: message, attempt } }) {
  appendFileSync(turnsFile, `${kind} ${session} ${message} ${attempt}\n`);
}

appendFileSync(startsFile, '.');
export const options = optionsOf(statSync(startsFile).size);

let runs = false;

export function begins(params) {
  if (runs) note('overlap', params);
  runs = true;
  note('begin', params);
}

export function ends() {
  runs = false;
}

export function scriptOf({ _meta: { message_id: message, attempt, put_backs: putBacks } }) {
  const behaviour = behaviourOf(weights, seed, session, message, attempt + putBacks);
  const script = behaviour === 'well' ? 'REPLY' : behaviours[behaviour][1];
  // In pieces, and on record before anybody has all of them.
  return script.replace('REPLY', `say reply to \nnote end\nsay ${message}`);
}

export const steps = {
  note: ({ params }, kind) => note(kind, params),
};
