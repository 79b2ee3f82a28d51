import { DownloadError } from '../platform-http.js';
import type { MatrixApi } from './matrix-api.js';
import type { MediaFile } from './read-message.js';

const timeoutMs = 60_000;

/** Names of servers and of media (spec.matrix.org, "Matrix Content (mxc://) URIs"). */
const mediaUri = /^mxc:\/\/([A-Za-z0-9.:[\]-]{1,255})\/([A-Za-z0-9_-]{1,255})$/;

/**
 * Gives the bytes of a file of a message. The homeserver fetches those of others: nothing else is asked.
 *
 * @param isAuthenticated false: the homeserver has the older way alone (before version 1.11)
 * @throws DownloadError, also while it is read
 */
export async function* downloadMedia(
  api: MatrixApi,
  { uri }: MediaFile,
  { isAuthenticated, signal }: { readonly isAuthenticated: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  if (uri === null) throw new DownloadError('it is encrypted', false);
  const match = mediaUri.exec(uri);
  if (match === null) throw new DownloadError('its address is none of Matrix', false);
  const place = match.slice(1).map(encodeURIComponent).join('/');
  const path = isAuthenticated ? `/client/v1/media/download/${place}` : `/media/v3/download/${place}`;
  yield* api.download(path, { timeoutMs, signal }, judge);
}

function judge(status: number): DownloadError | null {
  if (status === 200) return null;
  const isPassing = status >= 500 || status === 429;
  return new DownloadError(`the homeserver answered HTTP ${status}`, isPassing);
}
