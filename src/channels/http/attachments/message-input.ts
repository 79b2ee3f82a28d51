import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AttachmentLimits, NewAttachments } from '../../../store/new-attachments.js';
import type { Store } from '../../../store/store.js';
import { isForm } from '../bodies.js';
import { readMessageForm } from './message-form.js';
import { UploadSlots } from './upload-slots.js';

export interface AttachmentSettings extends AttachmentLimits {
  /** Uploads at the same time. */
  readonly concurrency: number;
}

export interface MessageInputOptions {
  readonly store: Pick<Store, 'putBlob' | 'removeBlob'>;
  /** Largest JSON, in bytes. */
  readonly bodyLimit: number;
  readonly settings: () => AttachmentSettings;
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

/** Reads messages that are posted: as JSON, or as a form with files. */
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
  async take<Message, Result>(
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
      const outcome = await accept(message, files);
      ({ isKept } = outcome);
      return outcome.result;
    } finally {
      if (!isKept) await files.discard();
    }
  }

  async #read<Message>(
    { headers, body }: FastifyRequest,
    check: (value: unknown) => Message,
    files: NewAttachments,
  ): Promise<Message> {
    if (!isForm(headers)) return check(body);
    const { bodyLimit: jsonLimitBytes } = this.#options;
    const contentType = headers['content-type'] ?? '';
    return this.#slots.run(() =>
      readMessageForm(body as Readable, { contentType, jsonLimitBytes, check, files }),
    );
  }
}
