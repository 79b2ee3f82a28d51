import { AttachmentLimitError } from '../../store/new-attachments.js';
import { StoreError, type StoreFailure } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';

/** A failure on its way to the other process. */
export type Failure =
  | {
      readonly kind: 'store';
      readonly message: string;
      readonly reason: StoreFailure;
      readonly detail: string | null;
      readonly errno: string | null;
    }
  | { readonly kind: 'limit'; readonly message: string; readonly limit: AttachmentLimitError['limit'] }
  | { readonly kind: 'other'; readonly message: string };

export function failureOf(error: unknown): Failure {
  const message = errorMessage(error);
  if (error instanceof StoreError) {
    const { reason, detail, errno } = error;
    return { kind: 'store', message, reason, detail, errno };
  }
  if (error instanceof AttachmentLimitError) return { kind: 'limit', message, limit: error.limit };
  return { kind: 'other', message };
}

/** The same failure on this side: channels tell a store that fails from one that can't take something. */
export function errorOf(failure: Failure): Error {
  switch (failure.kind) {
    case 'store': {
      const { reason, message, detail, errno } = failure;
      return new StoreError(reason, message, { detail: detail ?? undefined, errno: errno ?? undefined });
    }
    case 'limit':
      return new AttachmentLimitError(failure.limit, failure.message);
    default:
      return new Error(failure.message);
  }
}
