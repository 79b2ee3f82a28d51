import type { IncomingMessage } from 'node:http';
import { bodyOf, ExchangeError, mediaTypeOf, send } from '../../agents/http-client.js';
import { type FetchedFile, FileFetchError } from '../../channels/http/attachments/url-files.js';
import { guardedLookup, NameResolver } from '../delivery/addresses/guarded-lookup.js';
import { type AddressRange, validateReplyUrl } from '../delivery/addresses/target-address.js';

export interface FileFetcherSettings {
  /** Special ranges that it may connect to, beside all public addresses. */
  readonly allow: readonly AddressRange[];
  /** Longest time of one file, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Fetches files from URLs that strangers give, behind the same guard as replies: it connects to judged addresses only, and
 * follows no redirect.
 */
export class FileFetcher {
  readonly #settings: () => FileFetcherSettings;
  readonly #names = new NameResolver();

  constructor(settings: () => FileFetcherSettings) {
    this.#settings = settings;
  }

  /** Gives the file once its first bytes may be read. Throws a FileFetchError. */
  async fetch(text: string): Promise<FetchedFile> {
    const { allow, timeoutMs } = this.#settings();
    const target = validateReplyUrl(text, allow);
    if (!target.ok) throw new FileFetchError(`is refused: ${target.reason}`);
    const { url } = target;
    const signal = AbortSignal.timeout(timeoutMs);
    const lookup = guardedLookup(this.#names, allow);
    const answer = await failing(timeoutMs, signal, () =>
      send({ method: 'GET', url, headers: { accept: '*/*' }, lookup, signal }),
    );
    const mistake = mistakeOf(answer);
    if (mistake !== null) {
      answer.destroy();
      throw new FileFetchError(mistake);
    }
    return {
      name: nameIn(url),
      mediaType: mediaTypeOf(answer),
      content: contentOf(answer, timeoutMs, signal),
    };
  }
}

function mistakeOf({ statusCode = 0, headers }: IncomingMessage): string | null {
  if (statusCode >= 300 && statusCode <= 399) return `answered ${statusCode}; redirects are not followed`;
  if (statusCode !== 200) return `answered ${statusCode}`;
  const encoding = headers['content-encoding'] ?? 'identity';
  return /^identity$/i.test(encoding)
    ? null
    : `answered with the Content-Encoding ${JSON.stringify(encoding)}`;
}

/** The last part of the path; null if it ends with a slash, or is not well encoded. */
function nameIn({ pathname }: URL): string | null {
  try {
    return decodeURIComponent(pathname.split('/').at(-1) ?? '') || null;
  } catch {
    return null;
  }
}

async function* contentOf(
  answer: IncomingMessage,
  timeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const body = bodyOf(answer, signal);
  try {
    for (;;) {
      const { done, value } = await failing(timeoutMs, signal, () => body.next());
      if (done === true) return;
      yield value;
    }
  } finally {
    answer.destroy();
  }
}

/** Words what goes wrong for the sender of the URL. */
async function failing<Result>(
  timeoutMs: number,
  signal: AbortSignal,
  call: () => Promise<Result>,
): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (signal.aborted) {
      throw new FileFetchError(`did not come within ${timeoutMs / 1_000} s (attachments.fetch_timeout)`);
    }
    if (error instanceof ExchangeError) {
      throw new FileFetchError(`can’t be fetched: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
