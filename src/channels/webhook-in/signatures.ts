import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { WebhookScheme } from '../../config/webhook-keys.js';

/** Time by which a signed time may differ from the gateway's clock, in milliseconds. */
export const toleranceMs = 300_000;

/** Most secrets in force at the same time: each is one digest of the body for any caller. */
const mostSecrets = 8;

/** The request is not from the platform. `wrong-time`: its signature is right, and too old or from the future. */
export type SignatureProblem = 'no-signature' | 'wrong-signature' | 'wrong-time';

/** A request as its signature covers it. */
export interface SignedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The parts of a signed request. */
interface Signed {
  /** The bytes before the body that the signature covers as well. */
  readonly prefix: string;
  readonly signatures: readonly Buffer[];
  /** Seconds since the Unix epoch; null: the scheme has none. */
  readonly time: number | null;
}

interface Scheme {
  /** The key of a secret as the platform shows it; null if it has not the form. */
  keyOf(secret: string): Buffer | null;
  /** Describes a secret: "must be …". */
  readonly form: string;
  /** Null: the request has no signature of this form. */
  read(headers: IncomingHttpHeaders): Signed | null;
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function timeOf(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : null;
}

/** A secret that is used as the text that it is. */
function textKey(secret: string): Buffer | null {
  return secret.length < 16 ? null : Buffer.from(secret);
}

const hexDigest = /^[0-9a-f]{64}$/i;

const schemes: Readonly<Record<WebhookScheme, Scheme>> = {
  /** Specification 1.0.0, standardwebhooks.com. Some platforms write the version before their secrets. */
  'standard-webhooks': {
    form: 'must be "whsec_" followed by 24 to 64 bytes in base64',
    keyOf(secret) {
      const encoded = /^(?:v1,)?whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
      const key = Buffer.from(encoded ?? '', 'base64');
      return key.length < 24 || key.length > 64 ? null : key;
    },
    read(headers) {
      const id = headerOf(headers, 'webhook-id');
      const time = headerOf(headers, 'webhook-timestamp');
      const signatures = headerOf(headers, 'webhook-signature');
      if (id === null || timeOf(time) === null || signatures === null) return null;
      return {
        prefix: `${id}.${time}.`,
        time: timeOf(time),
        signatures: signatures
          .split(' ')
          .filter((word) => word.startsWith('v1,'))
          .map((word) => Buffer.from(word.slice(3), 'base64')),
      };
    },
  },
  /** "Validating webhook deliveries", docs.github.com. */
  github: {
    form: 'must have 16 characters at least, as from: openssl rand -hex 32',
    keyOf: textKey,
    read(headers) {
      const header = headerOf(headers, 'x-hub-signature-256') ?? '';
      const digest = header.replace(/^sha256=/, '');
      if (digest === header || !hexDigest.test(digest)) return null;
      return { prefix: '', time: null, signatures: [Buffer.from(digest, 'hex')] };
    },
  },
  /** "Verify webhook signatures manually", docs.stripe.com. */
  stripe: {
    form: 'must be the signing secret of the endpoint, which begins with "whsec_"',
    keyOf: textKey,
    read(headers) {
      const pairs = (headerOf(headers, 'stripe-signature') ?? '').split(',').map((pair) => pair.trim());
      const valuesOf = (name: string) =>
        pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
      const [time = null] = valuesOf('t');
      if (timeOf(time) === null) return null;
      return {
        prefix: `${time}.`,
        time: timeOf(time),
        signatures: valuesOf('v1')
          .filter((digest) => hexDigest.test(digest))
          .map((digest) => Buffer.from(digest, 'hex')),
      };
    },
  },
};

/**
 * Reads the secrets in force: one, or several apart by white space while the platform changes over from one to the next.
 *
 * @param setting names the place for operators
 * @throws an error that does not hold the secret
 */
export function readWebhookSecrets(scheme: WebhookScheme, text: string, setting: string): readonly Buffer[] {
  const { keyOf, form } = schemes[scheme];
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (words.length > mostSecrets) throw new Error(`${setting} has more than ${mostSecrets} secrets`);
  return words.map((word, index) => {
    const key = keyOf(word);
    if (key !== null) return key;
    throw new Error(`secret ${index + 1} of ${words.length} in ${setting} can't be used: it ${form}`);
  });
}

/** True if the headers have a signature, right or wrong: without one there is no need of the body. */
export function hasSignature(scheme: WebhookScheme, headers: IncomingHttpHeaders): boolean {
  return (schemes[scheme].read(headers)?.signatures.length ?? 0) > 0;
}

/** Compares in constant time. Null: the request is the platform's, and of now. */
export function signatureProblem(
  scheme: WebhookScheme,
  { headers, body }: SignedRequest,
  secrets: readonly Buffer[],
  nowMs: number,
): SignatureProblem | null {
  const signed = schemes[scheme].read(headers);
  if (signed === null || signed.signatures.length === 0) return 'no-signature';
  const { prefix, signatures, time } = signed;
  const isRight = secrets.some((secret) => {
    const expected = createHmac('sha256', secret).update(prefix).update(body).digest();
    return signatures.some((given) => given.length === expected.length && timingSafeEqual(given, expected));
  });
  if (!isRight) return 'wrong-signature';
  return time !== null && Math.abs(nowMs - time * 1_000) > toleranceMs ? 'wrong-time' : null;
}
