// A plain http server as a service: examples/http.service is its unit.
import { createServer } from 'node:http';
import { closeServer, supervise } from '@sd-gateway/systemd';

const service = await supervise();
let greeting = 'hello';
const server = createServer((_request, response) => response.end(`${greeting}\n`));

service.onStop(({ deadline }) => closeServer(server, deadline));
service.onReload(() => {
  greeting = 'hello again';
});
service.watchdog();
await service.listen(server, { port: Number(process.env.PORT ?? 8080) });
service.ready('Serving');
