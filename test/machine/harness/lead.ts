import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Machine } from './machine.js';

/** Has a port of the machine's loopback lead to a server of this process: the machine has a network of its own. */
export async function lead(machine: Machine, port: number, serve: (socket: Socket) => void, tls?: object) {
  const socket = `/run/stand-in-${port}.sock`;
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.listen(`/proc/${machine.pid}/root${socket}`);
  await once(server, 'listening');
  const listen = `--socket-property=ListenStream=127.0.0.1:${port}`;
  const relay = ['/usr/lib/systemd/systemd-socket-proxyd', socket];
  await machine.check(['systemd-run', '--quiet', `--unit=stand-in-${port}`, listen, ...relay]);
}

/** Passes a connection on. */
export const passTo = (origin: string) => (socket: Socket) => {
  const other = connect(Number(new URL(origin).port), '127.0.0.1');
  for (const [one, another] of [
    [socket, other],
    [other, socket],
  ] as const) {
    one.on('error', () => another.destroy());
    one.pipe(another);
  }
};
