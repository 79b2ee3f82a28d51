import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const stdio = fileURLToPath(new URL('../../systemd/agent/agent-stdio', import.meta.url));

/** Listens in the place of a socket unit until the test ends. Gives the address for `agent.connect`. */
export async function listenForTurns(accept: (socket: Socket) => void): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'connected-'));
  const path = join(directory, 's');
  const server = createServer({ allowHalfOpen: true }, accept);
  server.listen(path);
  await new Promise((listening) => server.once('listening', listening));
  onTestFinished(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return `unix:${path}`;
}

/** Has the script that is shipped run a program on each connection, as the service manager would. */
export function serveProgram(
  form: 'text' | 'jsonl' | 'acp',
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  return listenForTurns((socket) => {
    const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd: number } };
    const child = spawn(stdio, [form, ...command], {
      stdio: [handle.fd, handle.fd, 'ignore'],
      detached: true,
      env,
    });
    // This end would keep the connection open.
    socket.destroy();
    // systemd ends what is left of the unit.
    const end = () => {
      try {
        process.kill(-(child.pid ?? 0), 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    child.once('exit', end);
    onTestFinished(end);
  });
}
