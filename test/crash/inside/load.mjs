// Posts messages, one session after another message by message, until its standard input ends: each client has a
// session and posts its next message once the last one was answered 202; what failed is posted again under the same
// key, as a client has to. Then prints, as JSON, how many messages of each session were accepted, and what it saw.
//   node load.mjs '{"port": 8733, "tokenFile": "…", "receiver": 9100, "clients": 20, "pause": 100}'
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const { port, tokenFile, receiver, clients, pause: between } = JSON.parse(process.argv[2]);
const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
const seen = { accepted: {}, repeated: 0, refusals: {}, mistakes: [] };
let ended = false;
let total = 0;

function post(agent, session, number) {
  const body = JSON.stringify({
    text: `message ${number} of ${session}`,
    reply_to: { url: `http://127.0.0.1:${receiver}/` },
  });
  const headers = {
    authorization,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'idempotency-key': `${session}-${number}`,
  };
  const path = `/v1/sessions/${session}/messages`;
  return new Promise((resolve, reject) => {
    const options = { port, method: 'POST', path, agent, headers, timeout: 20_000 };
    const outgoing = request({ host: '127.0.0.1', ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.once('error', reject);
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer within 20 s')));
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

async function run(session) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let number = 0;
  while (!ended) {
    number += 1;
    for (;;) {
      let refusal;
      try {
        const { status, headers, text } = await post(agent, session, number);
        if (status === 202) {
          const { seq } = JSON.parse(text);
          if (headers['idempotency-replayed'] !== undefined) seen.repeated += 1;
          if (seq !== number) seen.mistakes.push(`${session}: message ${number} was accepted as ${seq}`);
          break;
        }
        refusal = String(status);
      } catch (error) {
        refusal = error.code ?? error.message;
      }
      seen.refusals[refusal] = (seen.refusals[refusal] ?? 0) + 1;
      await pause(20);
    }
    seen.accepted[session] = number;
    total += 1;
    if (total % 50 === 0) process.stdout.write(`${total}\n`);
    await pause(between * (0.5 + Math.random()));
  }
  agent.destroy();
}

process.stdin.once('end', () => {
  ended = true;
});
process.stdin.resume();
await Promise.all(Array.from({ length: clients }, (_, index) => run(`client-${index}`)));
process.stdout.write(`${JSON.stringify(seen)}\n`);
process.exit(0);
