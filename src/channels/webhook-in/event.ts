import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { WebhookScheme } from '../../config/webhook-keys.js';
import { parseJson } from '../../text/bounded-json.js';
import { memberAt } from '../../text/template.js';
import type { SignedRequest } from './signatures.js';

/** A request of a platform, once its signature has been found right. */
export interface WebhookEvent {
  /** The platform's id of the delivery, the same when it comes again. */
  readonly id: string;
  /** Such as "issues.opened"; empty: nothing tells. */
  readonly type: string;
  /** The payload as JSON.parse gives it; null: it is no JSON. */
  readonly payload: { readonly value: unknown } | null;
  /** The payload as it came. */
  readonly source: Buffer;
}

/** Ids that a store can key a message by: others are hashed. */
const plainId = /^[\x21-\x7e]{1,255}$/;

export function readEvent(scheme: WebhookScheme, { headers, body }: SignedRequest): WebhookEvent {
  const source = scheme === 'github' ? formPayload(headers['content-type'], body) : body;
  const payload = parsed(source);
  const member = (...path: string[]): string => {
    const value = memberAt(payload?.value, path);
    return typeof value === 'string' ? value : '';
  };
  const header = (name: string): string => {
    const value = headers[name];
    return typeof value === 'string' ? value : '';
  };
  switch (scheme) {
    case 'github': {
      // Many kinds of events have actions: issues.opened, issues.closed.
      const type = [header('x-github-event'), member('action')].filter((part) => part !== '').join('.');
      return { id: idOf(header('x-github-delivery'), body), type, payload, source };
    }
    case 'stripe':
      return { id: idOf(member('id'), body), type: member('type'), payload, source };
    case 'standard-webhooks':
      return { id: idOf(header('webhook-id'), body), type: member('type'), payload, source };
  }
}

/** A type in the list goes for itself and for all below it. An empty list has every type. */
export function isWanted(type: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((wanted) => type === wanted || type.startsWith(`${wanted}.`));
}

/** GitHub sends a form with one field, unless its webhook is set to JSON. */
function formPayload(contentType: string | undefined, body: Buffer): Buffer {
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(contentType ?? '')) return body;
  const payload = new URLSearchParams(body.toString()).get('payload');
  return payload === null ? body : Buffer.from(payload);
}

function parsed(source: Buffer): WebhookEvent['payload'] {
  if (!isUtf8(source)) return null;
  try {
    return { value: parseJson(source.toString().replace(/^\ufeff/, '')) };
  } catch {
    return null;
  }
}

/** A delivery that comes again without an id has the same body. */
function idOf(given: string, body: Buffer): string {
  if (plainId.test(given)) return given;
  return `sha256:${hash('sha256', given === '' ? body : Buffer.from(given))}`;
}
