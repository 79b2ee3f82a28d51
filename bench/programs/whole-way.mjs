// Posts messages and takes their replies:   node whole-way.mjs PORT TOKEN CONCURRENCY COUNT SECRET
// Each client posts the next one once the signed webhook of its last one has arrived. Prints the rate and latencies;
// all signatures are checked afterwards, off the clock.
import http from 'node:http';
import { Webhook } from 'standardwebhooks';

const [port, token, concurrency, count, secret] = process.argv.slice(2);
const total = Number(count);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(concurrency) });
const waiting = new Map();
const received = [];
const latencies = [];

const receiver = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    const client = Number(request.url.slice(1));
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
    const arrived = waiting.get(client);
    if (arrived === undefined) throw new Error(`A second webhook for ${request.url}`);
    waiting.delete(client);
    arrived();
  });
});
receiver.keepAliveTimeout = 60_000;
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const place = `http://127.0.0.1:${receiver.address().port}`;

function post(client, text) {
  const body = JSON.stringify({ text, reply_to: { url: `${place}/${client}` } });
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        agent,
        host: '127.0.0.1',
        port: Number(port),
        method: 'POST',
        path: `/v1/sessions/client-${client}/messages`,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (response) => {
        response.resume();
        if (response.statusCode === 202) response.on('end', resolve);
        else reject(new Error(`The post was answered ${response.statusCode}`));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

let posted = 0;
async function client(number) {
  while (posted < total) {
    const text = `Message ${posted++}`;
    const began = performance.now();
    const arrived = new Promise((resolve) => waiting.set(number, resolve));
    await post(number, text);
    await arrived;
    latencies.push(performance.now() - began);
  }
}

const began = performance.now();
await Promise.all(Array.from({ length: Number(concurrency) }, (_, number) => client(number)));
const seconds = (performance.now() - began) / 1_000;

const webhook = new Webhook(secret);
const texts = new Set();
for (const { headers, body } of received) {
  const { data } = webhook.verify(body, headers);
  texts.add(data.reply.text);
}
if (received.length !== total || texts.size !== total) {
  throw new Error(`${received.length} webhooks with ${texts.size} texts came for ${total} messages`);
}
latencies.sort((a, b) => a - b);
process.stdout.write(
  `${JSON.stringify({
    rate: total / seconds,
    p50: latencies[Math.floor(total / 2)],
    p99: latencies[Math.floor(total * 0.99)],
  })}\n`,
);
process.exit(0);
