// Holds a listening socket as systemd does, or serves on the one it was passed as descriptor 3. Each line of standard
// output is an event for the test.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const [role, database] = process.argv.slice(2);

if (role === 'holder') {
  const server = createServer((socket) => {
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nwaited'),
    );
  });
  server.listen(0, '127.0.0.1', () => {
    // The descriptor is passed with exec, like systemd does it; this process accepts nothing while it is stopped.
    const stdio = ['ignore', 'inherit', 'inherit', server._handle.fd];
    const gateway = spawn(process.execPath, [fileURLToPath(import.meta.url), 'gateway', database], { stdio });
    say({ event: 'holding', gateway: gateway.pid });
    gateway.once('spawn', () => process.kill(process.pid, 'SIGSTOP'));
  });
} else {
  const built = new URL('../../../dist/', import.meta.url);
  const { createHttpChannel } = await import(new URL('channels/http/http-channel.js', built).href);
  const { openSqliteStore } = await import(new URL('store/sqlite/sqlite-store.js', built).href);
  const { MessageEvents } = await import(new URL('gateway/events.js', built).href);
  const { store } = await openSqliteStore({ path: database, busyTimeout: 5_000, maxAttempts: 3 });
  const record = (message) => say({ event: 'error', message });
  const log = { err: record, warning: record };
  const channel = createHttpChannel({
    store,
    changes: new MessageEvents(),
    log,
    token: 'token',
    bounds: () => ({ total: 100, withoutToken: 50 }),
    bodyLimit: 65_536,
    settings: () => ({
      waitLimit: 1_000,
      queue: { session: 10, total: 10 },
      publicUrl: null,
      trustedProxies: [],
    }),
    readiness: () => ({ ready: true, facts: {} }),
    validateReplyUrl: () => ({ ok: true }),
    channelTarget: () => ({ ok: false, member: 'channel', reason: 'must name a channel' }),
    openSockets: async () => ({
      endpoints: [{ kind: 'descriptor', descriptor: 3, name: 'http' }],
      connections: [],
    }),
    accept: (message, limits) => store.accept(message, limits),
  });
  process.once('SIGUSR2', async () => {
    channel.stopAccepting();
    await channel.close(1_000);
    say({ event: 'closed to clients' });
  });
  process.once('SIGTERM', async () => {
    await store.close();
    // No exit here: nothing may hold the process.
    say({ event: 'closed' });
  });
  await channel.start();
  const addresses = channel.listening;
  say({ event: 'listening', address: addresses[0] });
}
