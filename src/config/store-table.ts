import { z } from 'zod';
import { absolutePath, timeSpan } from './values.js';

const day = 86_400_000;

/** Keys that each kind of store has. */
const everyStore = {
  keep: timeSpan(0, 3_650 * day)
    .prefault('30d')
    .register(z.globalRegistry, {
      description:
        'Time that a message is kept after its end, and its idempotency key with it. "0" is for ever.',
    }),
};

const sqlite = z.strictObject({
  type: z.literal('sqlite').default('sqlite').register(z.globalRegistry, {
    description: 'Database that keeps the messages: "sqlite" is one file on this machine.',
  }),
  path: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description: 'Database file, as an absolute path. Unset: gateway.db in the state directory.',
  }),
  busy_timeout: timeSpan(0, 600_000).prefault('5s').register(z.globalRegistry, {
    description: 'Longest wait for a lock that another process holds on the database.',
  }),
  ...everyStore,
});

/** The table `[store]`: a `type`, and its keys. */
export const storeTable = z.discriminatedUnion('type', [sqlite], {
  error: ({ code }) => (code === 'invalid_union' ? 'must be "sqlite"' : undefined),
});

export type StoreConfiguration = z.output<typeof storeTable>;
export type SqliteSettings = z.output<typeof sqlite>;

/** A file of this machine that the settings name, which the unit has to be able to write; null: they name none. */
export function namedStoreFile(store: StoreConfiguration): string | null {
  switch (store.type) {
    case 'sqlite':
      return store.path;
  }
}

/** The longest that a stop waits for a store that does not hang, in milliseconds, and the key that says so. */
export function longestStoreWait(store: StoreConfiguration): {
  readonly key: string;
  readonly waitMs: number;
} {
  switch (store.type) {
    case 'sqlite':
      return { key: 'store.busy_timeout', waitMs: store.busy_timeout };
  }
}
