import { plainFileName, plainMediaType } from '../text/file-name.js';
import type { Attachment } from './messages.js';
import type { Store } from './store.js';

/** Bounds of the files of one message or one reply. */
export interface AttachmentLimits {
  readonly count: number;
  readonly fileBytes: number;
  readonly totalBytes: number;
}

/** A file can't be taken, as there are too many, or too large ones. The message goes on after the file's name. */
export class AttachmentLimitError extends Error {
  constructor(
    readonly limit: 'count' | 'size',
    message: string,
  ) {
    super(message);
    this.name = 'AttachmentLimitError';
  }
}

/** Facts of a file, as its sender gives them. */
export interface GivenFile {
  /** May look like a path; null: it has none. */
  readonly name: string | null;
  readonly mediaType: string | null;
}

export type FileContent = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Collects the files of one message or one reply in the store, within their limits. */
export class NewAttachments {
  readonly #store: Pick<Store, 'putBlob' | 'removeBlob'>;
  readonly limits: AttachmentLimits;
  readonly #list: Attachment[] = [];

  constructor(store: Pick<Store, 'putBlob' | 'removeBlob'>, limits: AttachmentLimits) {
    this.#store = store;
    this.limits = limits;
  }

  /** Files so far, in the order in which they were added. */
  get list(): readonly Attachment[] {
    return this.#list;
  }

  /** Throws an AttachmentLimitError if there may be no further file. */
  checkCount(): void {
    const { count } = this.limits;
    if (this.#list.length < count) return;
    throw new AttachmentLimitError(
      'count',
      `is one file too many: ${count} may be (attachments.count_limit)`,
    );
  }

  /**
   * Adds a file, whose bytes are counted as they come. Call it for one file at a time.
   *
   * @throws AttachmentLimitError, as `Store.putBlob` does, and what reading the content fails with
   */
  async add({ name, mediaType }: GivenFile, content: FileContent): Promise<Attachment> {
    this.checkCount();
    const { fileBytes, totalBytes } = this.limits;
    const leftBytes = totalBytes - this.#list.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const blob = await this.#store.putBlob(content, Math.min(fileBytes, leftBytes));
    if (blob === null) {
      throw new AttachmentLimitError(
        'size',
        fileBytes <= leftBytes
          ? `is larger than ${fileBytes} bytes (attachments.file_limit)`
          : `makes the files larger than ${totalBytes} bytes together (attachments.total_limit)`,
      );
    }
    const attachment = { ...blob, name: plainFileName(name ?? ''), mediaType: plainMediaType(mediaType) };
    this.#list.push(attachment);
    return attachment;
  }

  /** Nothing has come to name the files. What can't be removed now, the store forgets in a day. */
  async discard(): Promise<void> {
    await Promise.allSettled(this.#list.splice(0).map(({ id }) => this.#store.removeBlob(id)));
  }
}
