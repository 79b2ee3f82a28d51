// Age of the first bytes of an agent as they come to their reader:
//   node first-delta.mjs COUNT gateway PORT TOKEN     over a session's stream of events
//   node first-delta.mjs COUNT pipe COMMAND…          over a pipe
// The agent writes its time (say-time.mjs).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';

const [count, way, ...words] = process.argv.slice(2);

async function* overPipe() {
  for (;;) {
    const child = spawn(words[0], words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const [bytes] = await once(child.stdout, 'data');
    yield { at: process.hrtime.bigint(), text: bytes.toString() };
    await exited;
  }
}

async function* overGateway() {
  const [port, token] = words;
  const options = { host: '127.0.0.1', port, headers: { authorization: `Bearer ${token}` } };
  const follow = http.get({ ...options, path: '/v1/sessions/bench/events' });
  const [stream] = await once(follow, 'response');
  const agent = new http.Agent({ keepAlive: true });
  const post = async () => {
    const headers = { ...options.headers, 'content-type': 'application/json' };
    const path = '/v1/sessions/bench/messages';
    const request = http.request({ ...options, agent, method: 'POST', path, headers }).end('{"text":"x"}');
    const [answer] = await once(request, 'response');
    answer.resume();
    if (answer.statusCode !== 202) throw new Error(`The post was answered ${answer.statusCode}`);
  };
  let rest = '';
  await post();
  for await (const bytes of stream.setEncoding('utf8')) {
    const at = process.hrtime.bigint();
    const events = (rest + bytes).split('\n\n');
    rest = events.pop();
    for (const event of events) {
      const [, type, data] = /^event: (delta|message)\ndata: (.*)$/m.exec(event) ?? [];
      if (type === 'delta') yield { at, text: JSON.parse(data).text };
      if (type === 'message') await post();
    }
  }
}

const ages = [];
for await (const { at, text } of way === 'pipe' ? overPipe() : overGateway()) {
  if (!/^\d+\n?$/.test(text)) throw new Error(`The agent said ${JSON.stringify(text)}`);
  ages.push(Number(at - BigInt(text)) / 1e6);
  // The first ones warm up.
  if (ages.length === Number(count) + 2) break;
}
const sorted = ages.slice(2).sort((a, b) => a - b);
process.stdout.write(`${JSON.stringify({ p50: sorted[Math.floor(sorted.length / 2)] })}\n`, () =>
  process.exit(0),
);
