import { isUtf8 } from 'node:buffer';
import { isTextType } from '../../text/file-name.js';
import type { AgentFile } from '../agent.js';
import { contentOf, fileAsText, fileNamedOnly } from '../placed-files.js';

/** A piece of a message's content, as the interface of chat completions has it. */
export type ContentPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }
  | { readonly type: 'file'; readonly file: { readonly filename: string; readonly file_data: string } };

/** Types of images that models read. */
const imageTypes: ReadonlySet<string> = new Set(['image/gif', 'image/jpeg', 'image/png', 'image/webp']);

type Form = 'image' | 'text' | 'document';

function formOf({ mediaType }: AgentFile): Form | null {
  if (imageTypes.has(mediaType)) return 'image';
  if (isTextType(mediaType)) return 'text';
  return mediaType === 'application/pdf' ? 'document' : null;
}

/**
 * The files of a message as parts of its content. Files that models can't read, and those beyond `limitBytes` in all, are
 * only named, so that the model knows of them.
 *
 * @throws AgentError if a file is gone
 */
export async function fileParts(
  files: readonly AgentFile[],
  limitBytes: number,
): Promise<readonly ContentPart[]> {
  const parts: ContentPart[] = [];
  let leftBytes = limitBytes;
  for (const file of files) {
    const form = formOf(file);
    if (form === null) {
      parts.push(named(file, 'can’t be shown here'));
    } else if (file.sizeBytes > leftBytes) {
      parts.push(named(file, 'is too large to be shown here'));
    } else {
      leftBytes -= file.sizeBytes;
      parts.push(partOf(file, form, await contentOf(file)));
    }
  }
  return parts;
}

function partOf(file: AgentFile, form: Form, content: Buffer): ContentPart {
  const { name, mediaType } = file;
  const url = () => `data:${mediaType};base64,${content.toString('base64')}`;
  switch (form) {
    case 'image':
      return { type: 'image_url', image_url: { url: url() } };
    case 'document':
      return { type: 'file', file: { filename: name, file_data: url() } };
    case 'text':
      return isUtf8(content)
        ? { type: 'text', text: fileAsText(file, content) }
        : named(file, 'can’t be shown here');
  }
}

function named(file: AgentFile, why: string): ContentPart {
  return { type: 'text', text: fileNamedOnly(file, why) };
}
