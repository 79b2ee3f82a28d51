import { fieldOf, type JournalRecord } from './journal-reader.js';
import type { Scope } from './service-manager.js';

/** Message ids of the manager's records, sd-messages(3). */
export const managerMessages = {
  starting: '7d4958e842da4a758f6c1cdc7b36dcc5',
  started: '39f53479d3a045ac8e11786248231fbf',
  unitFailed: 'be02cf6855d2428ba40df7e9d022f03d',
  failureResult: 'd9b373ed55a64feb8242e02dbe79a49c',
} as const;

/** A unit whose records are wanted, by the fields that journald and the manager set (systemd.journal-fields(7)). */
export interface UnitOfRecords {
  readonly scope: Scope;
  readonly name: string;
  /** User of a user unit, this process’s if it is not known: units of several users' managers have the same name. */
  readonly uid?: number | null;
  /** LogNamespace=; null: the default journal. */
  readonly logNamespace?: string | null;
}

/** Matches for journalctl: fields side by side are "and", the same field twice is "or". */
export interface RecordMatches {
  /** Records of the unit's processes; journald sets these fields, no process can. */
  readonly own: readonly string[];
  /** Records of the service manager about the unit. */
  readonly manager: readonly string[];
  /** The field of the manager's records that has the unit's invocation. */
  readonly managerInvocation: string;
}

export function recordMatches({ scope, name, uid }: UnitOfRecords): RecordMatches {
  if (scope === 'system') {
    return {
      own: [`_SYSTEMD_UNIT=${name}`],
      manager: [`UNIT=${name}`, '_PID=1'],
      managerInvocation: 'INVOCATION_ID',
    };
  }
  const user = `_UID=${uid ?? process.getuid?.() ?? 0}`;
  return {
    own: [`_SYSTEMD_USER_UNIT=${name}`, user],
    manager: [`USER_UNIT=${name}`, user],
    managerInvocation: 'USER_INVOCATION_ID',
  };
}

/** Records with one of the ids. */
export function messageMatches(ids: readonly string[]): readonly string[] {
  return ids.map((id) => `MESSAGE_ID=${id}`);
}

/** The unit's invocation that a record is about; a user manager's own, which is a unit too, comes last. */
export function invocationOf(record: JournalRecord): string | null {
  return (
    fieldOf(record, 'USER_INVOCATION_ID') ??
    fieldOf(record, 'INVOCATION_ID') ??
    fieldOf(record, '_SYSTEMD_INVOCATION_ID')
  );
}
