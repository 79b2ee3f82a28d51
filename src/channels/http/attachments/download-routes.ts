import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../../../log/log.js';
import type { Attachment, Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';
import { errorMessage } from '../../../text/failure-text.js';
import { Problem } from '../problem.js';
import { type UnreadOptions, untilTaken } from '../streams/answer-writer.js';
import { attachmentDisposition } from './content-disposition.js';

export interface DownloadOptions extends UnreadOptions {
  readonly log: Pick<Log, 'warning'>;
}

interface Route {
  Params: { id: string; number: string };
}

/** The files of messages and replies, one an address. */
export function addDownloadRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'message' | 'openBlob'>,
  options: DownloadOptions,
): void {
  const serve = async (
    { method, params: { id, number } }: FastifyRequest<Route>,
    reply: FastifyReply,
    filesOf: (message: Message) => readonly Attachment[],
  ): Promise<void> => {
    const message = await store.message(id);
    if (message === null) throw unknownMessage();
    const file = /^[1-9]\d{0,5}$/.test(number) ? filesOf(message)[Number(number) - 1] : undefined;
    const content = file === undefined ? null : await store.openBlob(file.id);
    if (file === undefined || content === null) {
      throw new Problem(
        'unknown-attachment',
        `It has no file ${JSON.stringify(number.slice(0, 20))}; the first one is 1.`,
      );
    }
    reply.hijack();
    await sendFile(reply, file, method === 'HEAD' ? [] : content, options);
  };
  application.get<Route>('/v1/messages/:id/attachments/:number', (request, reply) =>
    serve(request, reply, ({ attachments = [] }) => attachments),
  );
  application.get<Route>('/v1/messages/:id/reply/attachments/:number', (request, reply) =>
    serve(request, reply, ({ reply: answer }) => answer?.attachments ?? []),
  );
}

export function unknownMessage(): Problem {
  return new Problem('unknown-message', 'No message has this id, or it is kept no longer.');
}

/** A stranger made the file: a browser is to save it, and to run nothing of it. */
function headersOf({ name, mediaType, sizeBytes }: Attachment) {
  return {
    'Content-Type': mediaType,
    'Content-Length': sizeBytes,
    'Content-Disposition': attachmentDisposition(name),
    'Content-Security-Policy': "sandbox; default-src 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  };
}

/** Sends the file no faster than the client takes it. Ends the connection if it can't be sent whole. */
async function sendFile(
  { raw: response }: FastifyReply,
  file: Attachment,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: DownloadOptions,
): Promise<void> {
  response.writeHead(200, headersOf(file));
  let leftBytes = response.req.method === 'HEAD' ? 0 : file.sizeBytes;
  try {
    for await (const chunk of content) {
      leftBytes -= chunk.length;
      response.write(chunk);
      await untilTaken(response, options);
      if (response.closed || response.destroyed) return;
    }
  } catch (error) {
    options.log.warning(`The file ${file.id} could not be sent to its end: ${errorMessage(error)}`);
    response.destroy();
    return;
  }
  // If it was forgotten meanwhile, the answer is too short, and must not look whole.
  if (leftBytes === 0) response.end();
  else response.destroy();
}
