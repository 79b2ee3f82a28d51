// Posts messages from keep-alive clients, at a rate, until its standard input ends; then prints what it saw as JSON.
// Each client has a session of its own and posts its next message when the last one is answered. Prints a line with
// the number of answers after each hundred.
//   node poster.mjs '{"address": "http://127.0.0.1:8733" | "unix:/path", "tokenFile": "…", "clients": 50, "rate": 500}'
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { buildConnector, fetch, Agent as UndiciAgent } from 'undici';

const { address, tokenFile, clients, rate, sessions = 'client' } = JSON.parse(process.argv[2]);
const socketPath = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined;
const base = socketPath === undefined ? address : 'http://gateway';
const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
const seen = { answers: 0, connections: 0, failures: [], longest: 0, sessions: {} };
let ended = false;

/** undici, which fetch of Node is, with one connection. */
function undiciPost() {
  const connector = buildConnector({ socketPath });
  const dispatcher = new UndiciAgent({
    connections: 1,
    connect: (options, callback) => {
      seen.connections++;
      connector(options, callback);
    },
  });
  return async (path, body) => {
    const headers = { authorization, 'content-type': 'application/json' };
    const response = await fetch(base + path, { method: 'POST', headers, body, dispatcher });
    return { status: response.status, text: await response.text() };
  };
}

/** The client of Node, with one connection that it keeps. */
function agentPost() {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (options) => {
    seen.connections++;
    return connect(socketPath === undefined ? options : { path: socketPath });
  };
  const headers = { authorization, 'content-type': 'application/json' };
  return (path, body) =>
    new Promise((resolve, reject) => {
      const sized = { ...headers, 'content-length': Buffer.byteLength(body) };
      const request = httpRequest(base + path, { method: 'POST', agent, headers: sized }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode, text }));
        response.once('error', reject);
      });
      request.once('error', reject);
      request.end(body);
    });
}

async function run(index, interval) {
  const session = `${sessions}-${index}`;
  const post = index % 2 === 0 ? undiciPost() : agentPost();
  let due = performance.now() + Math.random() * interval;
  let count = 0;
  while (!ended) {
    await pause(Math.max(0, due - performance.now()));
    due += interval;
    if (ended) break;
    const began = performance.now();
    try {
      const answer = await post(
        `/v1/sessions/${session}/messages`,
        JSON.stringify({ text: String(count + 1) }),
      );
      const taken = answer.status === 202 ? JSON.parse(answer.text) : null;
      if (taken === null) seen.failures.push(`${session}: ${answer.status} ${answer.text}`);
      else if (taken.seq !== ++count) seen.failures.push(`${session}: message ${count} got seq ${taken.seq}`);
    } catch (error) {
      seen.failures.push(
        `${session}: ${error.message} ${error.cause ?? ''} after ${performance.now() - began} ms`,
      );
    }
    seen.answers++;
    seen.longest = Math.max(seen.longest, performance.now() - began);
    if (seen.answers % 100 === 0) process.stdout.write(`${seen.answers}\n`);
  }
  seen.sessions[session] = count;
}

process.stdin.once('end', () => {
  ended = true;
});
process.stdin.resume();
const began = performance.now();
// Every fifth client is idle for most of the time: what it holds is an idle connection.
const idle = Math.floor(clients / 5);
const idleInterval = 1_500;
const interval = ((clients - idle) * 1_000) / (rate - (idle * 1_000) / idleInterval);
await Promise.all(
  Array.from({ length: clients }, (_, index) => run(index, index < idle ? idleInterval : interval)),
);
// Only once all of it is written: with many failures it is more than a pipe holds.
process.stdout.write(`${JSON.stringify({ ...seen, seconds: (performance.now() - began) / 1_000 })}\n`, () =>
  process.exit(0),
);
