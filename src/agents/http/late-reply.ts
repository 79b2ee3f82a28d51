import { hash } from 'node:crypto';
import type { Attachment, Metadata } from '../../store/messages.js';
import {
  AttachmentLimitError,
  type AttachmentLimits,
  type GivenFile,
  type NewAttachments,
} from '../../store/new-attachments.js';
import { plainFileName, plainMediaType } from '../../text/file-name.js';
import { contentOfBase64 } from '../reply-files.js';

/** A reply that an agent has sent later, as it is kept. */
export interface LateReply {
  readonly text: string;
  readonly metadata: Metadata;
  readonly attachments?: readonly Attachment[];
}

/** The same as it comes. */
export interface GivenLateReply {
  readonly text: string;
  readonly metadata: Metadata;
  /** `data`: its content in base64. Default: none. */
  readonly files?: readonly (GivenFile & { readonly data: string })[];
}

/** A file of a late reply can't be taken. */
export class LateFileError extends Error {
  constructor(
    /** Its place among the files, from 0. */
    readonly index: number,
    readonly limit: AttachmentLimitError['limit'],
    message: string,
  ) {
    super(message);
    this.name = 'LateFileError';
  }
}

/** Larger ones take more memory than a gateway usually has. */
const largestBodyBytes = 80 * 1024 ** 2;
/** JSON may write a byte of a text as six: "\\u0001". */
const bytesOfEscape = 6;
/** Base64, and 5 % for line breaks and for slashes that are escaped. */
const bytesOfFileByte = (4 / 3) * 1.05;
/** For metadata and the members' names. */
const overheadBytes = 128 * 1024;
/** For a file's name and type. */
const fileOverheadBytes = 4 * 1024;

/** Bytes of the largest JSON that a reply within these limits takes. */
export function lateBodyLimitBytes(replyLimit: number, { count, totalBytes }: AttachmentLimits): number {
  const filesBytes = Math.ceil(totalBytes * bytesOfFileByte) + count * fileOverheadBytes;
  return Math.min(bytesOfEscape * replyLimit + filesBytes + overheadBytes, largestBodyBytes);
}

interface ReadFile extends GivenFile {
  readonly bytes: Buffer;
}

/** Reads the files' contents. @throws LateFileError */
export function readFiles(files: GivenLateReply['files'] = []): readonly ReadFile[] {
  return files.map(({ name, mediaType, data }, index) => {
    const bytes = contentOfBase64(data);
    if (bytes === null) throw new LateFileError(index, 'count', 'has "data" that is no base64');
    return { name, mediaType, bytes };
  });
}

/** Puts them into the store, unless they are there. @throws LateFileError */
export async function storeFiles(
  files: readonly ReadFile[],
  stored: NewAttachments,
): Promise<readonly Attachment[]> {
  for (const [index, file] of files.entries()) {
    if (index < stored.list.length) continue;
    try {
      await stored.add(file, [file.bytes]);
    } catch (error) {
      if (!(error instanceof AttachmentLimitError)) throw error;
      throw new LateFileError(index, error.limit, error.message);
    }
  }
  return stored.list;
}

type FileFacts = Pick<Attachment, 'name' | 'mediaType' | 'sha256'>;

/** The facts of files as they will be kept. */
export function factsOfFiles(files: readonly ReadFile[]): readonly FileFacts[] {
  return files.map(({ name, mediaType, bytes }) => ({
    name: plainFileName(name ?? ''),
    mediaType: plainMediaType(mediaType),
    sha256: hash('sha256', bytes),
  }));
}

/** Two replies that have the same one are the same. */
export function fingerprint({
  text,
  metadata,
  files,
}: Pick<LateReply, 'text' | 'metadata'> & { readonly files: readonly FileFacts[] }): string {
  const facts = files.map(({ name, mediaType, sha256 }) => [name, mediaType, sha256]);
  return hash('sha256', JSON.stringify([text, metadata, facts]));
}
