// Turns of an ACP agent that runs already:
//   node acp-turn.mjs COUNT gateway PORT TOKEN           from the post to the reply on the session's stream of events
//   node acp-turn.mjs COUNT parts DIRECTORY COMMAND…     the parts by hand, one after the other: a request to a server of
//                                                        another process, which commits it; the prompt, by the protocol's
//                                                        SDK; the reply committed
//   node acp-turn.mjs 0 server FILE                      that server, whose port it prints
// A commit is a row of SQLite, with the log and the syncs that the gateway has.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { Readable, Writable } from 'node:stream';
import { client, methods, ndJsonStream } from '@agentclientprotocol/sdk';

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

/** Gives what commits a text. The package of SQLite is that of the gateway for this Node.js. */
async function committer(file) {
  const { default: Database } = await import(
    Number(process.versions.napi) >= 10 ? 'better-sqlite3' : 'better-sqlite3-12'
  );
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.exec('CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL)');
  const insert = database.prepare('INSERT INTO texts (text) VALUES (?)');
  return (text) => insert.run(text);
}

async function serve(file) {
  const commit = await committer(file);
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      commit(JSON.parse(Buffer.concat(chunks).toString()).text);
      response.writeHead(202).end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  process.stdout.write(`${server.address().port}\n`);
}

async function partsTurn() {
  const [directory, file, ...rest] = words;
  const commit = await committer(`${directory}/replies.db`);
  const server = spawn(process.execPath, [process.argv[1], '0', 'server', `${directory}/posts.db`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(server.stdout, 'data');
  const port = Number(line);
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  const connection = client({ name: 'by hand' })
    .onNotification(methods.client.session.update, ({ params }) => {
      said += params.update.content.text;
    })
    .connect(ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)));
  const ask = (method, params) => connection.agent.request(method, params);
  await ask(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: {} });
  const { sessionId } = await ask(methods.agent.session.new, { cwd: directory, mcpServers: [] });
  return async (text) => {
    said = '';
    await post(port, 'none', text);
    await ask(methods.agent.session.prompt, { sessionId, prompt: [{ type: 'text', text }] });
    commit(said);
    return said;
  };
}

if (way === 'server') {
  // It ends with its input.
  process.stdin.resume().once('end', () => process.exit(0));
  await serve(words[0]);
} else {
  await measure();
}

async function measure() {
  const turn = await (way === 'gateway' ? gatewayTurn() : partsTurn());
  const times = [];
  // By then V8 has compiled what a turn runs, of which the gateway has more.
  const warmUp = 2 * Number(count);
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
}
