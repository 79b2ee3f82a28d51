import { createRequire } from 'node:module';
import type { Span as ApiSpan } from '@opentelemetry/api';
import { errorMessage } from '../../text/failure-text.js';
import { parseTraceparent } from '../../text/trace-context.js';

type Api = typeof import('@opentelemetry/api');

/** A piece of work that a trace shows. */
export interface TracedWork {
  /** For whoever does a part of the work: its span is the parent of theirs. Null: there is no trace. */
  readonly traceparent: string | null;
  /** `outcome`: one word. */
  end(outcome: string, isFailure: boolean): void;
}

export type SpanAttributes = Readonly<Record<string, string | number>>;

/** An SDK registers itself there (global-utils.ts of the API). Without one there is nothing to make spans for. */
const registry = Symbol.for('opentelemetry.js.api.1');

/**
 * Makes spans by `@opentelemetry/api` if that package is installed beside the gateway; what is done with them is up to the
 * SDK that somebody has loaded into the process (`node --import`). Without it, traces are passed on as they came. It
 * never throws.
 */
export class Tracer {
  #api: Api | null = null;

  /** Loads the package if an SDK is there. Rejects if it is installed and can't be loaded. */
  async load(importApi: () => Promise<Api> = requireApi): Promise<void> {
    const registered = Reflect.get(globalThis, registry) as { readonly trace?: object } | undefined;
    if (registered?.trace === undefined) return;
    try {
      this.#api = await importApi();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    }
  }

  /** `parent`: the traceparent of the message. */
  begin(name: string, parent: string | null, attributes: SpanAttributes): TracedWork {
    const api = this.#api;
    if (api === null) return { traceparent: parent, end: () => undefined };
    try {
      return this.#span(api, name, parent, attributes);
    } catch {
      // An SDK of somebody else must not end a turn.
      return { traceparent: parent, end: () => undefined };
    }
  }

  #span(api: Api, name: string, parent: string | null, attributes: SpanAttributes): TracedWork {
    const context = parseTraceparent(parent);
    const root = api.ROOT_CONTEXT;
    const within =
      context === null
        ? root
        : api.trace.setSpanContext(root, {
            traceId: context.traceId,
            spanId: context.spanId,
            traceFlags: Number.parseInt(context.flags, 16),
            isRemote: true,
          });
    const span = api.trace.getTracer('sd-gateway').startSpan(name, { attributes }, within);
    return {
      traceparent: traceparentOfSpan(api, span) ?? parent,
      end(outcome, isFailure) {
        try {
          span.setAttribute('sd_gateway.outcome', outcome);
          if (isFailure) span.setStatus({ code: api.SpanStatusCode.ERROR, message: outcome });
          span.end();
        } catch (error) {
          api.diag.error(`A span of sd-gateway could not be ended: ${errorMessage(error)}`);
        }
      },
    };
  }
}

/** By `require`: the program's compiled code can't import what is no part of it. */
async function requireApi(): Promise<Api> {
  return createRequire(import.meta.url)('@opentelemetry/api');
}

/** Names the span as the parent of others; null if it is none, as without an SDK. */
function traceparentOfSpan(api: Api, span: ApiSpan): string | null {
  const context = span.spanContext();
  if (!api.isSpanContextValid(context)) return null;
  return `00-${context.traceId}-${context.spanId}-${(context.traceFlags & 0xff).toString(16).padStart(2, '0')}`;
}

/** Passes each trace on as it came. */
export const noSpans: Pick<Tracer, 'begin'> = new Tracer();
