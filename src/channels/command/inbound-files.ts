import { createReadStream } from 'node:fs';
import { openBelow } from '../../linux/open-below.js';
import { errorMessage } from '../../text/failure-text.js';
import { DownloadError } from '../platform-http.js';
import type { RemoteFileSource } from '../remote-files.js';
import type { InboundFile } from './protocol.js';

/**
 * A file of a message that the program has put below its directory. No part of its path may be a link: a program must not
 * hand an agent what it was only told of.
 *
 * @param complain notes for operators why it can't be read
 */
export function inboundFileOf(
  directory: string,
  { path, name, media_type }: InboundFile,
  complain: (text: string) => void,
): RemoteFileSource {
  return {
    name: name ?? null,
    mediaType: media_type ?? null,
    async *download() {
      try {
        yield* createReadStream('', { fd: openBelow(directory, path) });
      } catch (error) {
        complain(errorMessage(error));
        throw new DownloadError('it is no file that the gateway can read', false);
      }
    },
  };
}
