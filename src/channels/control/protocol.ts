import { z } from 'zod';
import type { GatewayFacts } from './facts.js';

/**
 * The control socket speaks lines of JSON. A client sends one request; the gateway answers with events until the
 * request is done, and closes.
 */
const controlRequest = z.union([
  z.strictObject({ command: z.enum(['stop', 'restart', 'reload', 'status']) }),
  z.strictObject({ request: z.literal('facts') }),
]);

/** Throws an error whose text says what a request is. */
export function parseControlRequest(line: string): z.output<typeof controlRequest> {
  const form =
    'a request is one line of JSON: {"command": "stop"} (or restart, reload, status), or {"request": "facts"}';
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch {
    throw new Error(`this is no JSON; ${form}`);
  }
  const { success, data } = controlRequest.safeParse(request);
  if (!success) throw new Error(form);
  return data;
}

export type ControlCommand = 'stop' | 'restart' | 'reload' | 'status';

const callerTurn = z.object({ turnId: z.string(), messageId: z.string(), session: z.string() });

export const controlEvent = z.discriminatedUnion('event', [
  /** The request was taken; the pid of the gateway, and its unit where it runs as one. */
  z.object({ event: z.literal('accepted'), pid: z.number(), unit: z.string().nullable() }),
  /** The status line, whenever it changes. */
  z.object({ event: z.literal('status'), text: z.string() }),
  /** `GatewayFacts`, in one line that may be longer than `lineLimit`. */
  z.object({ event: z.literal('facts'), facts: z.custom<GatewayFacts>() }),
  /** The request can't be carried out. `turn`: because it came from within this running turn. */
  z.object({ event: z.literal('refused'), reason: z.string(), turn: callerTurn.optional() }),
]);

export type ControlEvent = z.output<typeof controlEvent>;

/** The longest line that either side takes, in bytes. */
export const lineLimit = 64 * 1024;
