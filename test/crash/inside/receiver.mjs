// The receiver of the crash tests: writes each reply that it gets to a file, one JSON line each, before it answers.
// How it behaves is told by lines of its standard input: "well", "hang" (no answer), "reset" (the connection is cut
// before the reply is read), "fail" (500, and the reply was not taken), "lie" (the reply was taken, and the answer is
// 500, or none). Prints how many replies, told apart by their keys, it has taken.
//   node receiver.mjs PORT FILE
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const [port, file] = process.argv.slice(2);
const keys = new Set();
const hanging = new Set();
let behaviour = 'well';

createServer((request, response) => {
  const now = behaviour;
  if (now === 'reset') return request.socket.destroy();
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('error', () => undefined);
  request.on('end', () => {
    if (now === 'fail') return response.writeHead(500).end();
    if (now === 'hang') {
      hanging.add(response);
      response.once('close', () => hanging.delete(response));
      return;
    }
    const key = request.headers['webhook-id'];
    const body = Buffer.concat(chunks).toString();
    appendFileSync(file, `${JSON.stringify({ key, body })}\n`);
    keys.add(key);
    if (now === 'lie' && Math.random() < 0.5) request.socket.destroy();
    else response.writeHead(now === 'lie' ? 500 : 204).end();
  });
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('0\n'));

createInterface(process.stdin).on('line', (line) => {
  behaviour = line;
  for (const response of hanging) response.destroy();
});
process.stdin.once('end', () => process.exit(0));
setInterval(() => process.stdout.write(`${keys.size}\n`), 200);
