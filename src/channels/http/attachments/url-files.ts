import { AttachmentLimitError, type NewAttachments } from '../../../store/new-attachments.js';
import { memberProblem } from '../validate.js';
import { fileProblem } from './message-form.js';

/** A file that the gateway is to fetch. */
export interface FileUrl {
  readonly url: string;
  /** The name to give it, in the place of the one in the URL. */
  readonly name?: string | undefined;
}

/** A file that comes from a URL. */
export interface FetchedFile {
  /** From the URL's path; null: it has none. */
  readonly name: string | null;
  readonly mediaType: string | null;
  /** Throws a FileFetchError if it does not come to its end. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** A file can't be fetched. The message goes on after its URL, such as "answered 404". */
export class FileFetchError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FileFetchError';
  }
}

/** Begins to fetch a file. Throws a FileFetchError. */
export type FetchFile = (url: string) => Promise<FetchedFile>;

/** Fetches files one after the other. Throws a Problem that names the file that can't be had. */
export async function fetchFiles(
  urls: readonly FileUrl[],
  fetchFile: FetchFile,
  files: NewAttachments,
): Promise<void> {
  for (const [index, { url, name }] of urls.entries()) {
    try {
      files.checkCount();
      const { name: nameInUrl, mediaType, content } = await fetchFile(url);
      await files.add({ name: name ?? nameInUrl, mediaType }, content);
    } catch (error) {
      if (error instanceof AttachmentLimitError) throw fileProblem(index, error.message, error.limit);
      if (error instanceof FileFetchError) throw memberProblem(['attachments', index, 'url'], error.message);
      throw error;
    }
  }
}
