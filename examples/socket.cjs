// A server behind a socket unit, in CommonJS: examples/socket.socket and examples/socket.service are its units.
const { createServer } = require('node:http');
const { closeServer, supervise } = require('@sd-gateway/systemd');
const { journalLog } = require('@sd-gateway/systemd/logging');

async function main() {
  const service = await supervise();
  let answered = 0;
  const server = createServer((_request, response) => {
    answered += 1;
    service.status(`${answered} answered`);
    journalLog('notice', 'answered:\none more', { EXAMPLE_ANSWERED: answered });
    response.end('by socket\n');
  });
  service.onStop(({ deadline }) => closeServer(server, deadline));
  await service.listen(server, { name: 'web' });
  service.ready('Waiting for the first request');
}

main();
