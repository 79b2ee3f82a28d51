import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CostlyJsonError, parseJson } from '../../text/bounded-json.js';
import { IncomingBodies, incomingLimitBytes } from './incoming-bodies.js';
import { Problem } from './problem.js';
import { bounds } from './request-schema.js';
import { askForBody } from './server/continue.js';
import { memberProblem } from './validate.js';

const jsonType = 'application/json';
/** Levels of a body that are looked through: one with more has metadata that is refused for its depth. */
export const deepestMember = bounds.metadataDepth + 2;

/** Reads the whole body of a request, and what it says. Rejects with a Problem. */
export type ReadBody = (payload: FastifyRequest['raw'], parse: (body: Buffer) => unknown) => Promise<unknown>;

/**
 * Reads the bodies of requests: JSON in UTF-8 (RFC 8259, 8.1), as it is sent. `formLimitBytes` bounds forms, where a route
 * takes them.
 */
export function readBodies(
  application: FastifyInstance,
  limitBytes: number,
  formLimitBytes: () => number = () => limitBytes,
): ReadBody {
  const bodies = new IncomingBodies(incomingLimitBytes);
  const read: ReadBody = (payload, parse) => bodies.use(payload, limitBytes, tooLarge, parse);
  application.removeContentTypeParser('text/plain');
  application.addContentTypeParser(
    jsonType,
    async (_request: FastifyRequest, payload: FastifyRequest['raw']) => read(payload, jsonOf),
  );
  application.addHook('preParsing', (request, reply, _payload, done) => {
    refuseBody(request.headers, isForm(request.headers) ? formLimitBytes() : limitBytes);
    askForBody(request.raw, reply.raw);
    done();
  });
  return read;
}

/** Takes a body that is empty for none, of any type: HTTP libraries and `curl -d ''` send one with each POST. */
export function takeEmptyBodies(application: FastifyInstance, read: ReadBody): void {
  application.removeContentTypeParser(jsonType);
  application.addContentTypeParser(
    [jsonType, '*'],
    async ({ headers }: FastifyRequest, payload: FastifyRequest['raw']) =>
      read(payload, (body) => {
        if (body.length === 0) return undefined;
        if (!isJson(headers)) throw notJson();
        return jsonOf(body);
      }),
  );
}

/** True if the body is a form with files (RFC 7578). */
export function isForm(headers: IncomingHttpHeaders): boolean {
  return /^multipart\/form-data\s*(;|$)/i.test(headers['content-type'] ?? '');
}

function isJson(headers: IncomingHttpHeaders): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');
}

export function notJson(): Problem {
  return new Problem('unsupported-media-type', 'Send the body as "Content-Type: application/json".');
}

export function tooLarge(): Problem {
  return new Problem('body-too-large', 'The body is larger than http.body_limit.', {
    headers: { Connection: 'close' },
  });
}

/** The connection stays, so that a client that sends all of it first gets to read the answer. */
function formTooLarge(limitBytes: number): Problem {
  return new Problem(
    'body-too-large',
    `The form is larger than ${limitBytes} bytes (attachments.total_limit, and room for the message).`,
  );
}

/** Throws if the headers say that the body can't be taken. */
function refuseBody(headers: IncomingHttpHeaders, limitBytes: number): void {
  const { 'content-length': length } = headers;
  if (Number(length ?? 0) > limitBytes) throw isForm(headers) ? formTooLarge(limitBytes) : tooLarge();
  refuseEncoding(headers);
}

/** Throws if the body comes in an encoding. */
export function refuseEncoding({ 'content-encoding': encoding }: IncomingHttpHeaders): void {
  if (encoding === undefined || /^(?:identity)?$/i.test(encoding)) return;
  throw new Problem('unsupported-media-type', 'Send the body without a Content-Encoding.', {
    // RFC 9110, 12.5.3.
    headers: { 'Accept-Encoding': 'identity' },
  });
}

/** Throws a Problem if the body is no JSON that can be taken. */
export function jsonOf(body: Buffer): unknown {
  if (body.length === 0) {
    throw new Problem('malformed-request', 'The body is empty; it must be a JSON object.');
  }
  // Else what is stored would have U+FFFD where something else was sent.
  if (!isUtf8(body)) throw new Problem('malformed-request', 'The body is not UTF-8.');
  let value: unknown;
  try {
    value = parseJson(body.toString().replace(/^\ufeff/, ''));
  } catch (error) {
    if (error instanceof CostlyJsonError)
      throw new Problem('malformed-request', `The body can’t be read: ${error.message}.`);
    throw new Problem('malformed-request', 'The body is not well-formed JSON.');
  }
  const path = prototypePath(value, deepestMember);
  if (path !== null) throw memberProblem(path, 'is a name that may not be used');
  return value;
}

/**
 * The path of a member `__proto__`, in at most so many levels; null if there is none. Code that copies such a member, in
 * an agent say, sets the prototype of the copy instead.
 */
export function prototypePath(value: unknown, levels: number): readonly string[] | null {
  if (typeof value !== 'object' || value === null || levels === 0) return null;
  // A list may have a hundred thousand items, whose names need not be made.
  if (Array.isArray(value)) return prototypePathIn(value, levels);
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return [name];
    const path = prototypePath((value as Readonly<Record<string, unknown>>)[name], levels - 1);
    if (path !== null) return [name, ...path];
  }
  return null;
}

function prototypePathIn(list: readonly unknown[], levels: number): readonly string[] | null {
  for (let index = 0; index < list.length; index += 1) {
    const path = prototypePath(list[index], levels - 1);
    if (path !== null) return [String(index), ...path];
  }
  return null;
}
