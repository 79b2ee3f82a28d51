import { groupBy } from '../group-by.js';
import type { Receipt } from '../record.js';

/** A reply as a receiver knows it that goes by the key. */
export interface Reply {
  /** `webhook-id`. */
  readonly key: string;
  readonly type: string;
  readonly data: {
    readonly id: string;
    readonly session: string;
    readonly seq: number;
    readonly collected?: readonly { readonly id: string }[];
    /** The metadata of one with a file have its hash. None of a notice. */
    readonly reply?: {
      readonly metadata: { readonly sha256?: string };
      readonly attachments?: readonly { readonly sha256: string }[];
    };
  };
  /** True if all that came under its key had one body. */
  readonly sameBody: boolean;
}

/** Each reply once, in the order in which they first came. */
export function repliesOf(receipts: readonly Receipt[]): Reply[] {
  return [...groupBy(receipts, ({ key }) => key)].map(([key, came]) => {
    const bodies = new Set(came.map(({ body }) => body));
    const [first = ''] = bodies;
    return { ...(JSON.parse(first) as Pick<Reply, 'type' | 'data'>), key, sameBody: bodies.size === 1 };
  });
}
