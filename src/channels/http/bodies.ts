import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ContentTypeParserDoneFunction } from 'fastify/types/content-type-parser.js';
import { Problem } from './problem.js';

const jsonType = 'application/json';
const asBuffer = { parseAs: 'buffer' } as const;

/** Reads the bodies of requests: JSON in UTF-8 (RFC 8259, 8.1), as it is sent. */
export function readBodies(application: FastifyInstance): void {
  application.removeContentTypeParser('text/plain');
  application.addContentTypeParser(jsonType, asBuffer, parserOfJson(application));
  application.addHook('preParsing', (request, _reply, _payload, done) => {
    refuseBody(request.headers);
    done();
  });
}

/** Takes a body that is empty for none, of any type: HTTP libraries and `curl -d ''` send one with each POST. */
export function takeEmptyBodies(application: FastifyInstance): void {
  const parse = parserOfJson(application);
  application.removeContentTypeParser(jsonType);
  application.addContentTypeParser(jsonType, asBuffer, (request, body: Buffer, done) => {
    if (body.length === 0) done(null, undefined);
    else parse(request, body, done);
  });
  application.addContentTypeParser('*', asBuffer, (_request, body: Buffer, done) => {
    if (body.length === 0) done(null, undefined);
    else done(notJson());
  });
}

export function notJson(): Problem {
  return new Problem('unsupported-media-type', 'Send the body as "Content-Type: application/json".');
}

/** Throws if the headers say that the body can't be taken. */
function refuseBody({ 'content-encoding': encoding }: IncomingHttpHeaders): void {
  if (encoding === undefined || /^(?:identity)?$/i.test(encoding)) return;
  throw new Problem('unsupported-media-type', 'Send the body without a Content-Encoding.', {
    // RFC 9110, 12.5.3.
    headers: { 'Accept-Encoding': 'identity' },
  });
}

function parserOfJson(application: FastifyInstance) {
  const parse = application.getDefaultJsonParser('error', 'error');
  return (request: FastifyRequest, body: Buffer, done: ContentTypeParserDoneFunction) => {
    // Else what is stored would have U+FFFD where something else was sent.
    if (isUtf8(body)) parse(request, body.toString(), done);
    else done(new Problem('malformed-request', 'The body is not UTF-8.'));
  };
}
