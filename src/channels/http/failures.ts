import { StoreError } from '../../store/store-error.js';
import { notJson, tooLarge } from './bodies.js';
import { Problem } from './problem.js';

/** Seconds after which a client may ask a failing store again. */
const storeRetryAfter = 5;

/** The answer to whatever a request's handling threw. Null: nothing that the client could have caused. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof StoreError) return storeProblem(error);
  const { code, statusCode, message } = errorFacts(error);
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return tooLarge();
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return notJson();
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('malformed-request', 'The body is not as long as Content-Length says.');
    case 'FST_ERR_BAD_URL':
      return new Problem('malformed-request', 'The address has a wrong percent-encoding.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Problem('address-too-long', 'A part of the address is too long.');
    default:
      return statusCode !== null && statusCode >= 400 && statusCode < 500
        ? new Problem('malformed-request', message)
        : null;
  }
}

/** The answer to an error that the client could not have caused. It tells nothing of the gateway's inside. */
export const internalProblem = new Problem(
  'internal',
  'The gateway failed in a way that it should not; its log says how.',
);

/** The answer to bytes that never became a request; by the code of Node's `clientError`. */
export function clientErrorProblem(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers-too-large', 'The request line and headers are larger than 16 KiB.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request-timeout', 'The request did not arrive whole in time.');
    default:
      return new Problem('malformed-request', 'The request is not well-formed HTTP/1.1.');
  }
}

function storeProblem(error: StoreError): Problem {
  switch (error.reason) {
    case 'bad-cursor':
      return new Problem('invalid-parameter', error.message, {
        errors: [{ parameter: 'after', detail: 'is not a cursor of this list' }],
      });
    case 'full':
      return new Problem('store-full', 'The disk of the store is full. Nothing was accepted.', {
        retryAfter: storeRetryAfter,
      });
    default:
      return new Problem('store-unavailable', error.detail ?? unavailable(error.reason), {
        retryAfter: storeRetryAfter,
      });
  }
}

function unavailable(reason: StoreError['reason']): string {
  return reason === 'corrupt'
    ? 'The store is damaged. Nothing was accepted.'
    : 'The store does not take or give messages now.';
}

function errorFacts(error: unknown): {
  readonly code: string | null;
  readonly statusCode: number | null;
  readonly message: string;
} {
  if (!(error instanceof Error)) return { code: null, statusCode: null, message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  const statusCode = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : null;
  return { code, statusCode, message: error.message };
}
