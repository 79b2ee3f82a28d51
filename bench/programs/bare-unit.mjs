// The least that a Type=notify unit can be: bare Node with one send. As a socket unit’s service it also answers.
import { createRequire } from 'node:module';

const addon = createRequire(import.meta.url)('../../build/Release/sd_gateway.node');
const ready = () => {
  if (addon.sd_notify('READY=1', '') !== 1) throw new Error('READY=1 was not sent');
};

if (process.env.LISTEN_FDS === undefined) {
  setInterval(() => undefined, 1_000_000);
  ready();
} else {
  const { createServer } = await import('node:http');
  let seq = 0;
  let stopping = false;
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const body = JSON.stringify({ id: String(seq), session: 'bare', seq: ++seq, state: 'queued' });
      // Else a client whose request was under way goes on with the connection, and the server has no end.
      if (stopping) response.setHeader('connection', 'close');
      response
        .writeHead(202, { 'content-type': 'application/json', 'content-length': body.length })
        .end(body);
    });
  });
  process.once('SIGTERM', () => {
    stopping = true;
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
  server.listen({ fd: 3 }, ready);
}
