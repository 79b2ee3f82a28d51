import { DownloadError } from '../platform-http.js';
import type { DiscordApi } from './discord-api.js';
import type { HostedFile } from './read-message.js';

/** Hosts that Discord keeps files on. */
const fileHosts: ReadonlySet<string> = new Set(['cdn.discordapp.com', 'media.discordapp.net']);
const timeoutMs = 60_000;

/** True if a file may be fetched from there: an address in a message must not make the gateway ask anything else. */
export function isFileHost(url: string, root: string): boolean {
  let given: URL;
  try {
    given = new URL(url);
  } catch {
    return false;
  }
  const api = new URL(root);
  if (api.hostname !== 'discord.com' && given.origin === api.origin) return true;
  return given.protocol === 'https:' && given.port === '' && fileHosts.has(given.hostname);
}

/**
 * Gives the bytes of a file of a message.
 *
 * @param root the API's
 * @throws DownloadError, also while it is read
 */
export async function* downloadHosted(
  api: DiscordApi,
  { url }: HostedFile,
  { root, signal }: { readonly root: string; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  if (!isFileHost(url, root)) throw new DownloadError('it is on a host that is none of Discord', false);
  yield* api.download(url, { timeoutMs, signal });
}
