// Turns of an ACP agent that runs already:
//   node acp-turn.mjs COUNT gateway PORT TOKEN           from the post to the reply on the session's stream of events
//   node acp-turn.mjs COUNT parts DIRECTORY COMMAND…     the parts by hand, one after the other: a request to a server that
//                                                        writes and syncs it, the prompt, the reply written and synced
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fdatasync, openSync, write } from 'node:fs';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const [count, way, ...words] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

async function post(port, token, text) {
  const request = http.request({
    agent,
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: '/v1/sessions/bench/messages',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  const [answer] = await once(request.end(JSON.stringify({ text })), 'response');
  answer.resume();
  await once(answer, 'end');
  if (answer.statusCode !== 202) throw new Error(`The post was answered ${answer.statusCode}`);
}

async function gatewayTurn() {
  const [port, token] = words;
  const options = { host: '127.0.0.1', port, headers: { authorization: `Bearer ${token}` } };
  const [stream] = await once(http.get({ ...options, path: '/v1/sessions/bench/events' }), 'response');
  let replied = () => undefined;
  let rest = '';
  stream.setEncoding('utf8').on('data', (bytes) => {
    const events = (rest + bytes).split('\n\n');
    rest = events.pop();
    for (const event of events) {
      if (/^event: message$/m.test(event)) replied(JSON.parse(/^data: (.*)$/m.exec(event)[1]).reply.text);
    }
  });
  return async (text) => {
    const reply = new Promise((resolve) => {
      replied = resolve;
    });
    await post(port, token, text);
    return reply;
  };
}

async function partsTurn() {
  const [directory, file, ...rest] = words;
  const descriptor = openSync(`${directory}/log`, 'a');
  const [writeFully, sync] = [promisify(write), promisify(fdatasync)];
  const keep = async (text) => {
    await writeFully(descriptor, text);
    await sync(descriptor);
  };
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      await keep(Buffer.concat(chunks));
      response.writeHead(202).end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map();
  let said = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, result, params } = JSON.parse(line);
    if (id === undefined) said += params.update.content.text;
    else waiting.get(id)(result);
  });
  let nextId = 0;
  const ask = (method, params) => {
    const id = nextId++;
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  await ask('initialize', { protocolVersion: 1, clientCapabilities: {} });
  const { sessionId } = await ask('session/new', { cwd: directory, mcpServers: [] });
  return async (text) => {
    said = '';
    await post(server.address().port, 'none', text);
    await ask('session/prompt', { sessionId, prompt: [{ type: 'text', text }] });
    await keep(said);
    return said;
  };
}

const turn = await (way === 'gateway' ? gatewayTurn() : partsTurn());
const times = [];
const warmUp = Math.ceil(Number(count) / 5);
for (let number = -warmUp; number < Number(count); number += 1) {
  const text = `Message ${number} of the benchmark, of some length`;
  const began = performance.now();
  const reply = await turn(text);
  if (number >= 0) times.push(performance.now() - began);
  if (reply !== text) throw new Error(`It said ${reply}`);
}
times.sort((a, b) => a - b);
process.stdout.write(`${JSON.stringify({ p50: times[Math.floor(times.length / 2)] })}\n`, () =>
  process.exit(0),
);
