import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers to clients that send the body only once they have had a 100, and whether their connections are to be kept. */
const waiting = new WeakMap<ServerResponse, boolean>();

/**
 * Has the client of `Expect: 100-continue` wait for `askForBody` (RFC 9110, 10.1.1). An answer without it is the last of
 * its connection: what comes behind it may be the body or the next request.
 */
export function holdBody(response: ServerResponse): void {
  waiting.set(response, response.shouldKeepAlive);
  response.shouldKeepAlive = false;
}

/** Asks for the body, if the client waits for that and there is one. */
export function askForBody({ headers }: IncomingMessage, response: ServerResponse): void {
  const keepAlive = waiting.get(response);
  if (keepAlive === undefined) return;
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  waiting.delete(response);
  response.shouldKeepAlive = keepAlive;
  if (encoding !== undefined || Number(length ?? 0) > 0) response.writeContinue();
}
