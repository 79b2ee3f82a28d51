import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../channels/http/server/listen.js';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import { metricsContentType } from './exposition.js';

export interface MetricsSocketOptions {
  readonly path: string;
  readonly text: () => Promise<string>;
  readonly log: Pick<Log, 'warning' | 'info'>;
}

/** A scraper opens one connection at a time. Others come from programs of this machine. */
const mostConnections = 16;
const requestTimeoutMs = 5_000;

/**
 * Serves GET /metrics on a Unix socket without a token: who may connect is for the socket's permissions to say. Gives the
 * function that closes it. The gateway goes on without a socket that can't be bound.
 */
export async function openMetricsSocket({ path, text, log }: MetricsSocketOptions): Promise<() => void> {
  const server = createServer(
    {
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      maxHeaderSize: 8_192,
      keepAlive: false,
    },
    (request, response) => {
      answer(request, response, text).catch((error: unknown) => {
        log.warning(`A scrape of the metrics failed: ${errorMessage(error)}`);
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    },
  );
  server.maxConnections = mostConnections;
  // A scraper that does not read its answer has so long.
  server.setTimeout(2 * requestTimeoutMs, (socket) => socket.destroy());
  try {
    await listen(server, { kind: 'unix', path, setting: 'metrics.socket' });
  } catch (error) {
    log.warning(`${errorMessage(error)} The gateway goes on without the socket of its metrics.`);
    return () => undefined;
  }
  server.on('error', (error) => log.warning(`The socket of the metrics failed: ${errorMessage(error)}`));
  log.info(`The metrics can be read at unix:${path}`);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  text: () => Promise<string>,
): Promise<void> {
  response.setHeader('Connection', 'close');
  if (!/^\/metrics(?:\?|$)/.test(request.url ?? '')) {
    response.writeHead(404, { 'Content-Type': 'text/plain' });
    response.end('This socket has GET /metrics alone.\n');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' });
    response.end();
    return;
  }
  const body = await text();
  response.writeHead(200, {
    'Content-Type': metricsContentType,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
