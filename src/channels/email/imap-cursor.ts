import type { JsonValue } from '../../store/messages.js';

/** The position in a mailbox. UIDs count within one UIDVALIDITY (RFC 3501, section 2.3.1.1). */
export interface ImapCursor {
  /** In decimal digits. */
  readonly uidValidity: string;
  /** All mails up to this one are taken, or left where they are. */
  readonly uid: number;
  /** Mails up to this one that are marked as read were taken under an earlier UIDVALIDITY; 0: none were. */
  readonly recountedUid: number;
  /** The mail that is on disk, and may not be marked yet; null: there is none. */
  readonly unmarkedUid: number | null;
}

export interface OpenMailbox {
  readonly uidValidity: string;
  /** The UID of the next mail to come. */
  readonly uidNext: number;
}

/**
 * The position at which reading begins. A new channel takes what comes from now on. Where the server has numbered its
 * mails anew, all count that are not marked as read.
 */
export function beginCursor(kept: ImapCursor | null, { uidValidity, uidNext }: OpenMailbox): ImapCursor {
  if (kept === null) return { uidValidity, uid: uidNext - 1, recountedUid: 0, unmarkedUid: null };
  if (kept.uidValidity === uidValidity) return kept;
  return { uidValidity, uid: 0, recountedUid: uidNext - 1, unmarkedUid: null };
}

/** True if the mail is to be taken, or at least looked at. */
export function isAhead(
  { uid, recountedUid }: ImapCursor,
  mail: { readonly uid: number; readonly isSeen: boolean },
): boolean {
  return mail.uid > uid && !(mail.isSeen && mail.uid <= recountedUid);
}

/** Reads what the store has kept; null if it is none. */
export function readCursor(value: JsonValue | null): ImapCursor | null {
  const { uidValidity, uid, recountedUid, unmarkedUid } = (value ?? {}) as Record<string, JsonValue>;
  if (typeof uidValidity !== 'string' || typeof uid !== 'number') return null;
  return {
    uidValidity,
    uid,
    recountedUid: typeof recountedUid === 'number' ? recountedUid : 0,
    unmarkedUid: typeof unmarkedUid === 'number' ? unmarkedUid : null,
  };
}
