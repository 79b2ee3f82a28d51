import type { Configuration } from './schema.js';

/** Settings that hold what is opened once; all others take effect with a reload. */
const fixedSettings: readonly {
  readonly key: string;
  readonly of: (configuration: Configuration) => unknown;
}[] = [
  { key: 'supervisor', of: ({ supervisor }) => supervisor },
  { key: 'http.listen', of: ({ http }) => http.listen },
  { key: 'http.body_limit', of: ({ http }) => http.body_limit },
  // The store goes by it as well, which has it from the start.
  { key: 'dispatch.max_attempts', of: ({ dispatch }) => dispatch.max_attempts },
  { key: 'delivery.notices', of: ({ delivery }) => delivery.notices },
  { key: 'store.path', of: ({ store }) => store.path },
  { key: 'store.busy_timeout', of: ({ store }) => store.busy_timeout },
  { key: 'store.keep', of: ({ store }) => store.keep },
];

/** The changed settings that a reload can't put into effect. */
export function restartNeeded(before: Configuration, after: Configuration): readonly string[] {
  return fixedSettings
    .filter(({ of }) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
    .map(({ key }) => key);
}
