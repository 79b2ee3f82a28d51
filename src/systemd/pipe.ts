import type { Socket } from 'node:net';

/** The read end of a pipe as a stream, which closes it. node:net is loaded for those that need one. */
export function readPipe(fd: number): Socket {
  const { Socket } = process.getBuiltinModule('node:net');
  return new Socket({ fd, readable: true, writable: false });
}
