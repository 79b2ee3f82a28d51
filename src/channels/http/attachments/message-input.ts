import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AttachmentLimits, NewAttachments } from '../../../store/new-attachments.js';
import type { Store } from '../../../store/store.js';
import { isForm } from '../bodies.js';
import { memberProblem } from '../validate.js';
import { readMessageForm } from './message-form.js';
import { UploadSlots } from './upload-slots.js';
import { type FetchFile, type FileUrl, fetchFiles } from './url-files.js';

export interface AttachmentSettings extends AttachmentLimits {
  /** Uploads at the same time. */
  readonly concurrency: number;
}

export interface MessageInputOptions {
  readonly store: Pick<Store, 'putBlob' | 'removeBlob'>;
  /** Largest JSON, in bytes. */
  readonly bodyLimit: number;
  readonly settings: () => AttachmentSettings;
  readonly fetchFile: FetchFile;
}

/** A message, as far as its files are concerned. */
interface MessageWithFiles {
  readonly text: string;
  readonly urls: readonly FileUrl[];
}

/** Each part of a form has a boundary of at most 70 bytes, and headers. */
const partOverheadBytes = 9 * 1_024;

/** The largest form that can have a message within the limits, in bytes. */
export function formLimitBytes(bodyLimit: number, { count, totalBytes }: AttachmentLimits): number {
  return bodyLimit + totalBytes + (count + 2) * partOverheadBytes;
}

/** Leaves the bodies of forms to the routes, which read them as they come. */
export function passForms(application: FastifyInstance): void {
  application.addContentTypeParser('multipart/form-data', (_request, payload, done) => done(null, payload));
}

/** Reads messages that are posted: as JSON, with URLs of files or without, or as a form with files. */
export class MessageInput {
  readonly #options: MessageInputOptions;
  readonly #slots: UploadSlots;

  constructor(options: MessageInputOptions) {
    this.#options = options;
    this.#slots = new UploadSlots(() => options.settings().concurrency);
  }

  /**
   * Gives what `check` made of the message's JSON, to `accept` with its files. They are kept if that tells so, and are
   * removed otherwise.
   */
  async take<Message extends MessageWithFiles, Result>(
    request: FastifyRequest,
    check: (value: unknown) => Message,
    accept: (
      message: Message,
      files: NewAttachments,
    ) => Promise<{ readonly result: Result; readonly isKept: boolean }>,
  ): Promise<Result> {
    const { store, settings } = this.#options;
    const files = new NewAttachments(store, settings());
    let isKept = false;
    try {
      const message = await this.#read(request, check, files);
      if (message.text === '' && files.list.length === 0) {
        throw memberProblem(['text'], 'must not be empty, unless a file comes with it');
      }
      const outcome = await accept(message, files);
      ({ isKept } = outcome);
      return outcome.result;
    } finally {
      if (!isKept) await files.discard();
    }
  }

  async #read<Message extends MessageWithFiles>(
    { headers, body }: FastifyRequest,
    check: (value: unknown) => Message,
    files: NewAttachments,
  ): Promise<Message> {
    const { bodyLimit: jsonLimitBytes, fetchFile } = this.#options;
    if (!isForm(headers)) {
      const message = check(body);
      const { urls } = message;
      if (urls.length > 0) await this.#slots.run(() => fetchFiles(urls, fetchFile, files));
      return message;
    }
    const contentType = headers['content-type'] ?? '';
    const checkForm = (value: unknown): Message => {
      const message = check(value);
      if (message.urls.length === 0) return message;
      throw memberProblem(['attachments'], 'is for files by their URL alone; a form has its files in it');
    };
    return this.#slots.run(() =>
      readMessageForm(body as Readable, { contentType, jsonLimitBytes, check: checkForm, files }),
    );
  }
}
