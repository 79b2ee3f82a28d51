import { pause } from '../lifecycle/effects/waits.js';
import { AttachmentLimitError, type NewAttachments } from '../store/new-attachments.js';
import { errorMessage } from '../text/failure-text.js';
import type { ChannelContext, Received } from './channel.js';
import { DownloadError } from './platform-http.js';
import { type StoreRetries, storeFails } from './until-stored.js';

/** Tries to download a file, and the wait between them, in milliseconds. */
const mostDownloads = 3;
const downloadRetryDelayMs = 1_000;

/** A file of a message, which is still at the platform. */
export interface RemoteFileSource {
  /** Null: it has none. */
  readonly name: string | null;
  readonly mediaType: string | null;
  /** Gives its bytes. Throws a DownloadError. */
  readonly download: () => AsyncIterable<Uint8Array>;
}

/** Fetches the files of messages. */
export class RemoteFiles {
  readonly #context: Pick<ChannelContext, 'keeps' | 'newFiles' | 'clock' | 'signal'>;
  readonly #retries: StoreRetries;

  constructor(
    context: Pick<ChannelContext, 'keeps' | 'newFiles' | 'clock' | 'signal'>,
    retries: StoreRetries,
  ) {
    this.#context = context;
    this.#retries = retries;
  }

  /**
   * Gives the message with its files; strangers' are not fetched. A file that can't be had is named in the text: the message
   * must not wait for it, nor be lost with it. Null: the channel ended first.
   */
  async fetchedWith(received: Received, files: readonly RemoteFileSource[]): Promise<Received | null> {
    if (files.length === 0 || !(await this.#keeps(received))) return received;
    const attachments = this.#context.newFiles();
    const missing: string[] = [];
    for (const file of files) {
      const reason = await this.#add(attachments, file);
      if (this.#context.signal.aborted) return null;
      if (reason === null) continue;
      missing.push(`[the file ${JSON.stringify(file.name ?? 'without a name')} is missing: it ${reason}]`);
    }
    const text = [received.text, ...missing].filter((line) => line !== '').join('\n');
    return { ...received, text, attachments: attachments.list };
  }

  /** Gives the reason if it can't be had; null: it is on disk. */
  async #add(attachments: NewAttachments, file: RemoteFileSource): Promise<string | null> {
    const { signal } = this.#context;
    for (let tries = 1; ; tries += 1) {
      try {
        attachments.checkCount();
        await attachments.add(file, file.download());
        return null;
      } catch (error) {
        if (error instanceof AttachmentLimitError) return error.message;
        if (signal.aborted) return 'was not waited for';
        if (storeFails(error)) {
          this.#retries.noteFailure(error);
          tries -= 1;
        } else if (error instanceof DownloadError) {
          if (!error.isPassing || tries === mostDownloads) return `could not be downloaded: ${error.message}`;
        } else return `could not be stored: ${errorMessage(error)}`;
      }
      await pause(this.#context, downloadRetryDelayMs);
    }
  }

  async #keeps(received: Received): Promise<boolean> {
    try {
      return await this.#context.keeps(received);
    } catch {
      // The store fails. It decides about the message, and says why it can't.
      return false;
    }
  }
}
