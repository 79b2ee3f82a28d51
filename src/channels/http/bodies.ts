import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.js';

/** Reads the bodies of requests: JSON in UTF-8 (RFC 8259, 8.1), as it is sent. */
export function readBodies(application: FastifyInstance): void {
  application.removeContentTypeParser('text/plain');
  readJsonAsUtf8(application);
  application.addHook('preParsing', (request, _reply, _payload, done) => {
    refuseBody(request.headers);
    done();
  });
}

/** Throws if the headers say that the body can't be taken. */
function refuseBody({ 'content-encoding': encoding }: IncomingHttpHeaders): void {
  if (encoding === undefined || /^(?:identity)?$/i.test(encoding)) return;
  throw new Problem('unsupported-media-type', 'Send the body without a Content-Encoding.', {
    // RFC 9110, 12.5.3.
    headers: { 'Accept-Encoding': 'identity' },
  });
}

/** Else what is stored would have U+FFFD where something else was sent. */
function readJsonAsUtf8(application: FastifyInstance): void {
  const parse = application.getDefaultJsonParser('error', 'error');
  application.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (request, body: Buffer, done) => {
      if (isUtf8(body)) parse(request, body.toString(), done);
      else done(new Problem('malformed-request', 'The body is not UTF-8.'));
    },
  );
}
