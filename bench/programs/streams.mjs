// Sessions that stream 50 deltas a second each, and their clients:
//   node streams.mjs MODELPORT PORT TOKEN SESSIONS
// A server of chat completions writes the deltas until SIGTERM. A client for each session posts a message, and reads the
// session's events. Says "all stream" once each client has had a second of them. At the end the deltas that came are
// compared with those that were written.
import { once } from 'node:events';
import http from 'node:http';

const [modelPort, port, token, sessions] = process.argv.slice(2);
const intervalMs = 20;
const total = Number(sessions);
const written = new Map();
const received = new Map();
const writers = new Set();

const event = (content, reason = null) =>
  `data: ${JSON.stringify({ object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: reason }] })}\n\n`;

const model = http.createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text) => {
    body += text;
  });
  request.on('end', () => {
    const session = JSON.parse(body).messages.at(-1).content;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let count = 0;
    const timer = setInterval(() => {
      response.write(event(`${count} `));
      count += 1;
      written.set(session, count);
    }, intervalMs);
    writers.add(() => {
      clearInterval(timer);
      response.end(`${event('', 'stop')}data: [DONE]\n\n`);
    });
  });
});
model.listen(Number(modelPort), '127.0.0.1');
await once(model, 'listening');

const options = { host: '127.0.0.1', port, headers: { authorization: `Bearer ${token}` } };

async function follow(session) {
  const [stream] = await once(http.get({ ...options, path: `/v1/sessions/${session}/events` }), 'response');
  const headers = { ...options.headers, 'content-type': 'application/json' };
  const path = `/v1/sessions/${session}/messages`;
  const request = http.request({ ...options, method: 'POST', path, headers });
  const [answer] = await once(request.end(JSON.stringify({ text: session })), 'response');
  answer.resume();
  if (answer.statusCode !== 202) throw new Error(`The post was answered ${answer.statusCode}`);
  let rest = '';
  for await (const text of stream.setEncoding('utf8')) {
    const events = (rest + text).split('\n\n');
    rest = events.pop();
    for (const each of events) {
      if (each.startsWith('event: delta\n')) received.set(session, (received.get(session) ?? 0) + 1);
      if (/^event: message$/m.test(each)) return JSON.parse(/^data: (.*)$/m.exec(each)[1]).reply.text;
    }
  }
  throw new Error(`The stream of ${session} ended before its message`);
}

const names = Array.from({ length: total }, (_, index) => `stream-${index}`);
const followed = Promise.all(names.map(follow));
followed.catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
while (!names.every((name) => received.get(name) >= 50))
  await new Promise((resolve) => setTimeout(resolve, 20));
process.stdout.write('all stream\n');
await once(process, 'SIGTERM');
for (const end of writers) end();
for (const [index, text] of (await followed).entries()) {
  const [session, count] = [names[index], written.get(names[index])];
  const whole = Array.from({ length: count }, (_, number) => `${number} `).join('');
  // The last ones may come with the message only.
  if (text !== whole || received.get(session) > count)
    throw new Error(`${session}: not all ${count} deltas came`);
}
process.exit(0);
