/** Trouble of channels that connect to a platform: pure functions. */

/**
 * Keeps a channel from hearing its platform. `limit` and `passing` may pass by themselves; with `standby` another gateway
 * hears it. `Kind` has those of one platform.
 */
export interface ChannelTrouble<Kind extends string = string> {
  /** For operators; it says what to do, and holds no secret. */
  readonly reason: string;
  /** Kinds are told apart in the journal. */
  readonly kind: Kind | 'limit' | 'passing' | 'standby';
  /** The time before the next try, in milliseconds; null: the usual one. */
  readonly retryAfterMs: number | null;
}

/** Names of the operator's settings. */
export interface TroubleWords {
  /** The channel's name. */
  readonly name: string;
  /** The place of the token, such as a file. */
  readonly tokenPlace: string;
}

export function passing(reason: string): ChannelTrouble<never> {
  return { kind: 'passing', reason, retryAfterMs: null };
}

/** @param what the thing that one gateway at most may hear: "bot" or "app" */
export function standby(what: string): ChannelTrouble<never> {
  const reason = `another gateway with the same store has the ${what}; this one takes over when that ends`;
  return { kind: 'standby', reason, retryAfterMs: null };
}

/** One failure that may pass by itself is no trouble yet. */
export function isDown({ kind }: ChannelTrouble, failuresInARow: number): boolean {
  return failuresInARow > 1 || !(kind === 'passing' || kind === 'limit');
}

/** The place of a secret, in an operator's words. */
export function secretPlace(file: string | null, credential: string | null): string {
  return credential === null ? `${file}` : `the credential ${credential}`;
}
