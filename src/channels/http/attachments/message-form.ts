import type { Readable } from 'node:stream';
import { AttachmentLimitError, type NewAttachments } from '../../../store/new-attachments.js';
import { gatheredFrom } from '../../../text/gathered-bytes.js';
import { jsonOf } from '../bodies.js';
import { Problem } from '../problem.js';
import { memberProblem } from '../validate.js';
import { boundaryOf, FormError, type FormPart, formParts } from './multipart.js';

/** The name of the first part, which has the message as JSON. */
const messagePart = 'message';

export interface MessageFormOptions<Message> {
  readonly contentType: string;
  /** Largest JSON, in bytes. */
  readonly jsonLimitBytes: number;
  /** Checks the JSON before a file is read. Throws a Problem. */
  readonly check: (value: unknown) => Message;
  readonly files: NewAttachments;
}

/**
 * Reads a message that came as a form: its JSON first, then its files, each no faster than the store takes it. Throws a
 * Problem. What is left of the body is dropped as it comes, so that the client gets to read the answer.
 */
export async function readMessageForm<Message>(
  payload: Readable,
  options: MessageFormOptions<Message>,
): Promise<Message> {
  const boundary = boundaryOf(options.contentType);
  if (boundary === null) {
    throw new Problem('malformed-request', 'The Content-Type of the form has no boundary, or a wrong one.');
  }
  const source = payload.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  try {
    return await readParts(formParts(source, boundary), options);
  } catch (error) {
    if (error instanceof FormError) throw new Problem('malformed-request', `The body ${error.message}.`);
    if (payload.readableAborted) throw new Problem('malformed-request', 'The body ended early.');
    throw error;
  } finally {
    await source.return?.();
    payload.resume();
  }
}

async function readParts<Message>(
  parts: AsyncIterator<FormPart>,
  { jsonLimitBytes, check, files }: MessageFormOptions<Message>,
): Promise<Message> {
  const first = await parts.next();
  if (first.done === true || first.value.name !== messagePart || first.value.filename !== null) {
    throw memberProblem(
      [],
      `must have the message as its first part: "${messagePart}", in JSON, and no file`,
    );
  }
  const message = check(jsonOf(await wholeOf(first.value, jsonLimitBytes)));
  for (let index = 0; ; index += 1) {
    const { done, value: part } = await parts.next();
    if (done === true) return message;
    if (part.filename === null) throw fileProblem(index, 'is no file: its part has no filename');
    try {
      await files.add({ name: part.filename, mediaType: part.mediaType }, part.body);
    } catch (error) {
      if (!(error instanceof AttachmentLimitError)) throw error;
      throw fileProblem(index, error.message, error.limit);
    }
  }
}

/** The answer that names a file which can't be taken, by its place among the files. */
export function fileProblem(
  index: number,
  detail: string,
  limit: AttachmentLimitError['limit'] = 'count',
): Problem {
  const problem = memberProblem(['attachments', index], detail);
  if (limit === 'count') return problem;
  return new Problem('body-too-large', problem.detail, {
    errors: [{ pointer: `#/attachments/${index}`, detail }],
  });
}

async function wholeOf({ mediaType, body }: FormPart, limitBytes: number): Promise<Buffer> {
  if (mediaType !== null && !/^application\/json\s*(;|$)/i.test(mediaType)) {
    throw new Problem('unsupported-media-type', `Send the part "${messagePart}" as application/json.`);
  }
  const bytes = await gatheredFrom(body, limitBytes);
  if (bytes !== null) return bytes;
  throw new Problem('body-too-large', `The part "${messagePart}" is larger than http.body_limit.`);
}
