import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { ContentBlock } from '@agentclientprotocol/sdk';
import { isTextType } from '../../text/file-name.js';
import type { AgentFile } from '../agent.js';
import { contentOf, fileAsText, fileNamedOnly, type PlacedFile } from '../placed-files.js';

/** Kinds of content that an agent takes in a prompt, beside text and links (ACP, "Prompt Capabilities"). */
export interface PromptContent {
  readonly image: boolean;
  readonly audio: boolean;
  readonly embeddedContext: boolean;
}

/** Content of files in a prompt, in bytes. A prompt is one line, of which base64 takes a third more. */
const mostContentBytes = 2 * 1024 ** 2;

/** The files of a message as blocks of a prompt: images themselves if the agent takes them, and links to copies. */
export async function linkedFiles(
  files: readonly PlacedFile[],
  takes: PromptContent,
): Promise<readonly ContentBlock[]> {
  const blocks: ContentBlock[] = [];
  let leftBytes = takes.image ? mostContentBytes : 0;
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

/**
 * The same for an agent that can't read the gateway's files: their content itself, as far as the agent takes it. A file that
 * has to be left out is named.
 *
 * @throws AgentError if a file is gone
 */
export async function carriedFiles(
  files: readonly AgentFile[],
  takes: PromptContent,
): Promise<readonly ContentBlock[]> {
  const blocks: ContentBlock[] = [];
  let leftBytes = mostContentBytes;
  for (const file of files) {
    if (!mayTake(file, takes)) {
      blocks.push(namedOnly(file, 'its content is left out, as the agent takes none of this type'));
    } else if (file.sizeBytes > leftBytes) {
      const limit = `a prompt has ${mostContentBytes} bytes of files at most`;
      blocks.push(namedOnly(file, `its content is left out, as ${limit}`));
    } else {
      leftBytes -= file.sizeBytes;
      blocks.push(contentBlock(file, takes, await contentOf(file)));
    }
  }
  return blocks;
}

function mayTake({ mediaType }: AgentFile, { image, audio, embeddedContext }: PromptContent): boolean {
  const kind = mediaType.split('/', 1)[0];
  return (
    embeddedContext || isTextType(mediaType) || (kind === 'image' && image) || (kind === 'audio' && audio)
  );
}

function contentBlock(file: AgentFile, takes: PromptContent, content: Buffer): ContentBlock {
  const { name, mediaType } = file;
  const data = () => content.toString('base64');
  if (mediaType.startsWith('image/') && takes.image) {
    return { type: 'image', data: data(), mimeType: mediaType };
  }
  if (mediaType.startsWith('audio/') && takes.audio) {
    return { type: 'audio', data: data(), mimeType: mediaType };
  }
  const isText = isTextType(mediaType) && isUtf8(content);
  if (takes.embeddedContext) {
    // A name and no place: nothing can be read there.
    const facts = { uri: `attachment:${encodeURIComponent(name)}`, mimeType: mediaType };
    return {
      type: 'resource',
      resource: isText ? { ...facts, text: content.toString() } : { ...facts, blob: data() },
    };
  }
  return isText
    ? { type: 'text', text: fileAsText(file, content) }
    : namedOnly(file, 'its content is left out, as it is no text in UTF-8');
}

function namedOnly(file: AgentFile, why: string): ContentBlock {
  return { type: 'text', text: fileNamedOnly(file, why) };
}
