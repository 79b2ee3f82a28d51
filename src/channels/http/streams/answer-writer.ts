import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** After so long without reading, in milliseconds, a client is gone; it can come back with what it has seen. */
const longestUnreadMs = 60_000;

export interface UnreadOptions {
  /** Told of each answer that waits for its client. */
  readonly onUnread?: ((response: ServerResponse) => void) | undefined;
}

/** Waits for a client that has not taken what it was sent, and closes its connection if it takes nothing for long. */
export async function untilTaken(response: ServerResponse, { onUnread }: UnreadOptions): Promise<void> {
  if (!response.writableNeedDrain) return;
  onUnread?.(response);
  // One for all: what did not come is not listened for any more.
  const over = new AbortController();
  const { signal } = over;
  const deadline = setTimeout(() => response.destroy(), longestUnreadMs);
  const come = (event: string) => once(response, event, { signal });
  try {
    await Promise.race([come('drain'), come('close')]);
  } catch {
    // A broken connection: the client is gone.
    response.destroy();
  } finally {
    clearTimeout(deadline);
    over.abort();
  }
}
