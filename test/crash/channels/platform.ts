import type { Random } from '../inside/random.mjs';
import { type ChannelKind, channelKinds, type UnknownPolicy, unknownPolicyOf } from '../kinds.js';

/** A text that people of a channel see. */
export interface ShownText {
  readonly session: string;
  readonly text: string;
}

/** The other side of a channel: people write there, and see what the gateway sends. */
export interface Platform {
  readonly kind: ChannelKind;
  /** The channel's table without its head, in TOML. */
  readonly table: string;
  /** Secrets by the names of their files in /run/tester. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The sessions of its chats. */
  readonly sessions: readonly string[];
  /** Somebody writes this, in one of the sessions. */
  write(session: string, text: string): void;
  /** Goes wrong with something that comes next. */
  misbehave(random: Random): void;
  /** From now on nothing goes wrong by itself. Absent: nothing does. */
  recover?(): void;
  /** All that was sent by the channel, in order. What the platform takes for one stands there once. */
  shown(): readonly ShownText[];
  /** Anything that the gateway should not have done. */
  mistakes(): readonly string[];
  close(): Promise<void>;
}

/** Keys of each channel of these tests: nobody is told anything but replies. The clock may jump by an hour. */
export const quiet = 'allow = ["*"]\nnotices = "none"\nretry_for = "1d"\n';

/** A row of the table in docs/channels/README.md. */
export interface Row {
  readonly kind: ChannelKind;
  readonly unknown: UnknownPolicy | null;
  /** The key `unknown`, in TOML; empty where the channel does without it. */
  readonly unknownKey: string;
  /** Its place among the rows: no two channels of a gateway may be one bot. */
  readonly index: number;
  /** Numbers of its chats. */
  readonly chats: readonly number[];
  /** True: the platform does not say what was sent. */
  readonly isBlind: boolean;
}

export function rowOf(kind: ChannelKind): Row {
  const unknown = unknownPolicyOf(kind);
  // One that shows a further value of `unknown` has one chat, as there are many of them.
  const isFurther = kind.includes('-');
  return {
    kind,
    unknown,
    unknownKey: unknown === null ? '' : `unknown = "${unknown}"\n`,
    index: channelKinds.indexOf(kind),
    chats: isFurther ? [0] : [0, 1],
    isBlind: isFurther,
  };
}
