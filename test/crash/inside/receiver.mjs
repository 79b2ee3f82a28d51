// The receiver of the crash tests: writes each reply that it gets to a file, one JSON line each, before it answers.
// Lines of its standard input tell how it behaves: "well", "hang" (no answer), "reset" (the connection is cut before
// the reply is read), "fail" (500, and the reply was not taken), "lie" (the reply was taken, and the answer is 500, or
// none). At /once it is taken for one that does not go by the replies' keys. A second file has each reply that arrives
// there, whatever becomes of it, and each that is about to be answered 500.
//   node receiver.mjs PORT FILE ATTEMPTSFILE SEED    SEED: determines when it lies by no answer
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Random } from './random.mjs';

const [port, file, attemptsFile, seed] = process.argv.slice(2);
const random = new Random(Number(seed));
const hanging = new Set();
let behaviour = 'well';

createServer((request, response) => {
  const now = behaviour;
  const key = request.headers['webhook-id'];
  const note = (what) => {
    if (request.url === '/once') appendFileSync(attemptsFile, `${JSON.stringify({ key, what })}\n`);
  };
  const refuse = () => {
    note('refused');
    response.writeHead(500).end();
  };
  note('arrived');
  if (now === 'reset') return request.socket.destroy();
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('error', () => undefined);
  request.on('end', () => {
    if (now === 'fail') return refuse();
    if (now === 'hang') {
      hanging.add(response);
      response.once('close', () => hanging.delete(response));
      return;
    }
    const body = Buffer.concat(chunks).toString();
    appendFileSync(file, `${JSON.stringify({ key, body })}\n`);
    if (now === 'lie' && random.chance(0.5)) request.socket.destroy();
    else if (now === 'lie') refuse();
    else response.writeHead(204).end();
  });
}).listen(Number(port), '127.0.0.1');

createInterface(process.stdin).on('line', (line) => {
  behaviour = line;
  for (const response of hanging) response.destroy();
});
process.stdin.once('end', () => process.exit(0));
