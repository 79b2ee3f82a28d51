import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { ContentBlock } from '@agentclientprotocol/sdk';
import type { PlacedFile } from '../placed-files.js';

/** Images of a prompt in all, in bytes. A prompt is one line, of which base64 takes a third more. */
const mostImageBytes = 2 * 1024 ** 2;

/** The files of a message as blocks of a prompt: images themselves if the agent takes them, and links to copies. */
export async function fileBlocks(
  files: readonly PlacedFile[],
  takesImages: boolean,
): Promise<readonly ContentBlock[]> {
  const blocks: ContentBlock[] = [];
  let leftBytes = takesImages ? mostImageBytes : 0;
  for (const { name, mediaType, sizeBytes, location } of files) {
    const uri = pathToFileURL(location).href;
    if (mediaType.startsWith('image/') && sizeBytes <= leftBytes) {
      leftBytes -= sizeBytes;
      const data = (await readFile(location)).toString('base64');
      blocks.push({ type: 'image', data, mimeType: mediaType, uri });
    } else {
      blocks.push({ type: 'resource_link', uri, name, mimeType: mediaType, size: sizeBytes });
    }
  }
  return blocks;
}
