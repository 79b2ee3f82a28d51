import { randomUUID } from 'node:crypto';
import { createReadStream, fstatSync } from 'node:fs';
import { basename } from 'node:path';
import { openRegularFile } from '../../linux/files.js';
import { mediaTypeOfName, plainFileName } from '../../text/file-name.js';

/** A body that is sent in pieces, and whose length is known. */
export interface StreamedBody {
  readonly contentType: string;
  readonly sizeBytes: number;
  chunks(): AsyncIterable<Uint8Array>;
}

interface FilePart {
  readonly head: Buffer;
  readonly sizeBytes: number;
  readonly descriptor: number;
}

const lineEnd = Buffer.from('\r\n');

/**
 * Opens the files, and makes a form of them and a message (RFC 7578). It can be sent once. Throws the errors of open(2),
 * and a NoRegularFileError.
 */
export function messageForm(message: object, paths: readonly string[]): StreamedBody {
  const boundary = `sd-gateway-${randomUUID()}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="message"\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(message)}\r\n`,
  );
  const end = Buffer.from(`--${boundary}--\r\n`);
  const parts = paths.map((path) => filePart(path, boundary));
  const sizeBytes = parts.reduce(
    (sum, part) => sum + part.head.length + part.sizeBytes + lineEnd.length,
    head.length + end.length,
  );
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes,
    async *chunks() {
      yield head;
      for (const part of parts) {
        yield part.head;
        yield* contentOf(part);
        yield lineEnd;
      }
      yield end;
    },
  };
}

function filePart(path: string, boundary: string): FilePart {
  const name = plainFileName(basename(path));
  const descriptor = openRegularFile(path, 'links-followed');
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name.replaceAll('"', '%22')}"\r\n` +
      `Content-Type: ${mediaTypeOfName(name)}\r\n\r\n`,
  );
  return { head, sizeBytes: fstatSync(descriptor).size, descriptor };
}

/** As long as it was when it was opened, which the gateway has been told. */
async function* contentOf({ descriptor, sizeBytes }: FilePart): AsyncGenerator<Uint8Array> {
  let leftBytes = sizeBytes;
  // Read from its beginning whatever was read of it before.
  const stream = createReadStream('', { fd: descriptor, start: 0 });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(0, leftBytes);
    leftBytes -= piece.length;
    yield piece;
    if (leftBytes === 0) return;
  }
  if (leftBytes > 0) throw new Error('a file has become shorter while it was sent');
}
