import { readFileSync } from 'node:fs';
import { checkout } from './places.js';
import { Daemon, freePort, temporaryDirectory } from './processes.js';

export interface Serving {
  readonly port: number;
  readonly token: string;
  readonly pid: number;
  readonly directory: string;
  stop(): Promise<void>;
}

/**
 * The gateway as its unit runs it, in a directory of its own and with its defaults; `before` is what runs it, such as strace; `prepare`
 * gets the directory first; `stopSignal` is for what is run.
 */
export async function startGateway(
  environment: Readonly<Record<string, string>> = {},
  before: readonly string[] = [],
  prepare: (directory: string) => void = () => undefined,
  stopSignal: NodeJS.Signals = 'SIGINT',
): Promise<Serving> {
  const { path, remove } = temporaryDirectory();
  prepare(path);
  const port = await freePort();
  const daemon = new Daemon([...before, process.execPath, `${checkout}dist/cli/main.js`, 'run'], {
    STATE_DIRECTORY: path,
    RUNTIME_DIRECTORY: path,
    CONFIGURATION_DIRECTORY: path,
    SD_GATEWAY_HTTP_LISTEN: `127.0.0.1:${port}`,
    ...environment,
  });
  await daemon.until('readiness', () => isReady(port));
  return {
    port,
    token: readFileSync(`${path}/token`, 'utf8').trim(),
    pid: daemon.pid,
    directory: path,
    async stop() {
      await daemon.stop(stopSignal);
      remove();
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200;
  } catch {
    // Refused: it does not listen yet.
    return false;
  }
}
