/**
 * Trace contexts of the W3C (www.w3.org/TR/trace-context): the version, the id of the trace, that of the span, and flags,
 * in hexadecimal digits.
 */

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: string;
}

/** Reads a context. Null: the value is none, which is ignored, as the specification asks for. */
export function parseTraceparent(value: unknown): TraceContext | null {
  if (typeof value !== 'string') return null;
  const [, version, traceId = '', spanId = '', flags = '', rest] = form.exec(value) ?? [];
  if (version === undefined || version === 'ff') return null;
  // Later versions may have more behind these four.
  if (version === '00' && rest !== undefined) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, flags };
}

/** In version 00, whichever version it was read from. */
export function traceparentText({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

/** The member of a message's metadata that has its trace. */
const member = 'traceparent';

/** The trace of a message, as it is passed on; null: it has none, or none that can be read. */
export function traceparentOf(metadata: Readonly<Record<string, unknown>>): string | null {
  const context = parseTraceparent(metadata[member]);
  return context === null ? null : traceparentText(context);
}

/** The id by which a trace is looked for; null as above. */
export function traceIdOf(metadata: Readonly<Record<string, unknown>>): string | null {
  return parseTraceparent(metadata[member])?.traceId ?? null;
}

/** Puts the trace of a request into the metadata of its message, unless its sender has put one there. */
export function withTraceparent<Values extends Readonly<Record<string, unknown>>>(
  metadata: Values,
  header: string | readonly string[] | undefined,
): Values {
  const context = parseTraceparent(header);
  if (context === null || Object.hasOwn(metadata, member)) return metadata;
  return { ...metadata, [member]: traceparentText(context) };
}
