// The least that a durable post can take in Node.js: its own HTTP server, one write and one fsync of the request’s body.
//   node write-fsync-server.mjs write-fsync PORT FILE

import { fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const [, port, file] = process.argv.slice(2);
const descriptor = openSync(file, 'w');
let seq = 0;

const server = createServer((request, response) => {
  const answer = (status, value) => {
    const body = JSON.stringify(value);
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
      .end(body);
  };
  if (request.method === 'GET') {
    answer(200, { count: fstatSync(descriptor).size });
    return;
  }
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    writeSync(descriptor, Buffer.concat(chunks));
    fsyncSync(descriptor);
    answer(202, { id: String(++seq), session: 'none', seq, state: 'queued' });
  });
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
