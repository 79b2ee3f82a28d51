// Opens connections of the kinds that cost a server without being of use, and holds what is not closed until its standard
// input ends. Prints a line once all were tried.
//   node hold.mjs PORT TOKENFILE SESSION
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const [port, tokenFile, session] = process.argv.slice(2);
const authorization = `Authorization: Bearer ${readFileSync(tokenFile, 'utf8').trim()}\r\n`;
const head = (method, place) => `${method} /v1/sessions/${session}/${place} HTTP/1.1\r\nHost: x\r\n`;

/** A number of connections, and what each sends. */
const kinds = [
  [350, ''],
  [300, head('POST', 'messages').slice(0, -10)],
  [
    150,
    `${head('POST', 'messages')}${authorization}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
  ],
  [50, `${head('GET', 'events')}${authorization}Last-Event-ID: 0\r\n\r\n`],
];
let left = kinds.reduce((sum, [count]) => sum + count, 0);

function hold(text) {
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  let isTried = false;
  const tried = () => {
    if (isTried) return;
    isTried = true;
    left -= 1;
    if (left === 0) process.stdout.write('"held"\n');
  };
  // Nothing that comes is read.
  socket.pause().once('connect', () => {
    socket.write(text);
    tried();
  });
  socket.on('error', tried).once('close', tried);
}

for (const [count, text] of kinds) {
  for (let index = 0; index < count; index += 1) {
    // In bursts that leave time for others.
    if (index % 50 === 0) await pause(20);
    hold(text);
  }
}
process.stdin.once('end', () => process.exit(0)).resume();
