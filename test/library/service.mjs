// A service for the tests: node service.mjs MODE
import { createServer } from 'node:http';
import { closeServer, supervise } from '../../dist/library/index.js';

const mode = process.argv[2];
const service = await supervise({ stopTimeoutMs: mode === 'hang' ? 300 : 5_000 });
const server = createServer((request, response) => {
  if (request.url === '/slow') setTimeout(() => response.end('late'), 300);
  else response.end('hello');
});
service.onStop(async ({ cause, sender, deadline, signal }) => {
  process.stdout.write(
    `${JSON.stringify({ cause, sender: sender?.comm ?? null, aborted: signal.aborted })}\n`,
  );
  if (mode === 'hang') await new Promise(() => undefined);
  if (mode === 'reject') throw new Error('the handler failed');
  const inTime = await closeServer(server, deadline);
  process.stdout.write(`${JSON.stringify({ inTime })}\n`);
});
service.onReload(() => {
  if (mode === 'refuse') throw new Error('no such file');
});
service.watchdog(() => mode !== 'stuck');
const address = await service.listen(server, { port: 0, host: '127.0.0.1' });
service.ready(`on ${address.port}`);
