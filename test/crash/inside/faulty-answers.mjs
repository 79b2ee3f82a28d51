// Ways to answer badly that any server over HTTP has.
import { once } from 'node:events';

export const answerWith = (status, headers) => (response) => response.writeHead(status, headers).end('no');

export const cut = (response) => response.destroy();

/** An answer that nobody gets to see, until the client has gone. */
export const hang = () => undefined;

/** No answer of HTTP. */
export const garbage = (response) => response.socket.end('\0\xff garbage\r\n\r\n'.repeat(100));

/** Writes the text again and again, so many times, as fast as it is read. */
export async function pour(response, text, times) {
  for (let left = times; left > 0 && !response.destroyed; left -= 1) {
    if (response.write(text)) continue;
    const over = new AbortController();
    // A broken connection is an end too.
    await Promise.race(['drain', 'close'].map((event) => once(response, event, over))).catch(() => undefined);
    over.abort();
  }
}

export const megabyte = 'x'.repeat(1_000_000);

export const stream = { 'content-type': 'text/event-stream' };
