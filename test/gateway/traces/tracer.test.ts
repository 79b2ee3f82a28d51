import {
  type Attributes,
  type Context,
  type Span,
  type SpanOptions,
  type SpanStatus,
  trace,
} from '@opentelemetry/api';
import { afterEach, describe, expect, test } from 'vitest';
import { tracedIntake } from '../../../src/gateway/traces/traced-intake.js';
import { Tracer } from '../../../src/gateway/traces/tracer.js';
import type { NewMessage } from '../../../src/store/messages.js';
import { newMessage, noLimits } from '../../store/samples.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = `00-${traceId}-00f067aa0ba902b7-01`;
const spanId = 'b7ad6b7169203331';

interface Recorded {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Attributes;
  status: SpanStatus | null;
  isEnded: boolean;
}

afterEach(() => trace.disable());

/** Stands for the SDK that somebody has loaded into the process. */
function sdk(): readonly Recorded[] {
  const spans: Recorded[] = [];
  const startSpan = (name: string, options: SpanOptions = {}, context?: Context): Span => {
    const within = context === undefined ? undefined : trace.getSpanContext(context);
    const attributes = { ...options.attributes };
    const recorded: Recorded = { name, parent: within?.spanId, attributes, status: null, isEnded: false };
    spans.push(recorded);
    const span = {
      spanContext: () => ({ traceId: within?.traceId ?? '1'.repeat(32), spanId, traceFlags: 1 }),
      setAttribute: (key: string, value: string) => {
        attributes[key] = value;
        return span;
      },
      setStatus: (status: SpanStatus) => {
        recorded.status = status;
        return span;
      },
      end: () => {
        recorded.isEnded = true;
      },
    };
    return span as unknown as Span;
  };
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as never });
  return spans;
}

async function loaded(): Promise<Tracer> {
  const tracer = new Tracer();
  await tracer.load();
  return tracer;
}

describe('with an SDK', () => {
  test('a span is below that of the message, and what comes after is below the span', async () => {
    const spans = sdk();
    const work = (await loaded()).begin('sd_gateway.turn', parent, { 'sd_gateway.attempt': 1 });
    expect(work.traceparent).toBe(`00-${traceId}-${spanId}-01`);
    work.end('failed', true);
    expect(spans).toEqual([
      {
        name: 'sd_gateway.turn',
        parent: '00f067aa0ba902b7',
        attributes: { 'sd_gateway.attempt': 1, 'sd_gateway.outcome': 'failed' },
        status: { code: 2, message: 'failed' },
        isEnded: true,
      },
    ]);
  });

  test('a message without a trace begins one', async () => {
    sdk();
    const work = (await loaded()).begin('sd_gateway.turn', null, {});
    expect(work.traceparent).toBe(`00-${'1'.repeat(32)}-${spanId}-01`);
  });

  test('an accepted message is kept below the span of its acceptance', async () => {
    const spans = sdk();
    let taken: NewMessage | null = null;
    const accept = async (message: NewMessage) => {
      taken = message;
      return { outcome: 'full', limit: 'total', waiting: 1 } as const;
    };
    const intake = tracedIntake({ accept, acceptAll: async () => [] }, await loaded());
    await intake.accept(newMessage('a', { metadata: { from: 'ada', traceparent: parent } }), noLimits);
    expect(taken).toMatchObject({ metadata: { from: 'ada', traceparent: `00-${traceId}-${spanId}-01` } });
    expect(spans[0]).toMatchObject({
      name: 'sd_gateway.accept',
      attributes: { 'sd_gateway.outcome': 'full' },
      isEnded: true,
    });
  });

  test('one that fails ends nothing', async () => {
    trace.setGlobalTracerProvider({
      getTracer: () => {
        throw new Error('The SDK is broken.');
      },
    });
    const work = (await loaded()).begin('sd_gateway.turn', parent, {});
    expect(work.traceparent).toBe(parent);
    work.end('replied', false);
  });
});

test.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])(
  'without the package (%s) the trace is passed on',
  async (code) => {
    const spans = sdk();
    const tracer = new Tracer();
    await tracer.load(async () => {
      throw Object.assign(new Error('It is not there.'), { code });
    });
    const work = tracer.begin('sd_gateway.turn', parent, {});
    work.end('replied', false);
    expect(work.traceparent).toBe(parent);
    expect(spans).toEqual([]);
  },
);

test('without an SDK the package is not loaded, and the trace is passed on', async () => {
  const tracer = new Tracer();
  await tracer.load(async () => {
    throw new Error('It is loaded.');
  });
  expect(tracer.begin('sd_gateway.turn', parent, {}).traceparent).toBe(parent);
  expect(tracer.begin('sd_gateway.turn', null, {}).traceparent).toBeNull();
});

test('a package that is broken is told', async () => {
  sdk();
  const failed = new Tracer().load(async () => {
    throw new Error('It has a mistake.');
  });
  await expect(failed).rejects.toThrow('It has a mistake.');
});
