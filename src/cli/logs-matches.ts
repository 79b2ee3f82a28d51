import type { Scope } from '../manager/scope.js';

/** Whose records: a unit's, by the fields that journald and the manager set (systemd.journal-fields(7)). */
export interface UnitOfLogs {
  readonly scope: Scope;
  readonly name: string;
  /** User of a user unit: units of several users' managers have the same name. */
  readonly uid: number;
}

export interface Narrowing {
  /** 32 hexadecimal digits. */
  readonly invocation: string | null;
  readonly session: string | null;
  readonly message: string | null;
  /** 0 to 7. */
  readonly priority: number | null;
}

/** The manager's records of a start's begin and end, sd-messages(3). */
const startMessages = ['7d4958e842da4a758f6c1cdc7b36dcc5', '39f53479d3a045ac8e11786248231fbf'] as const;

interface Sides {
  /** Records of the unit's processes; journald sets these fields, no process can. */
  readonly own: readonly string[];
  /** Records of the service manager about the unit. */
  readonly manager: readonly string[];
  readonly managerInvocation: string;
}

function sidesOf({ scope, name, uid }: UnitOfLogs): Sides {
  return scope === 'system'
    ? {
        own: [`_SYSTEMD_UNIT=${name}`],
        manager: [`UNIT=${name}`, '_PID=1'],
        managerInvocation: 'INVOCATION_ID',
      }
    : {
        own: [`_SYSTEMD_USER_UNIT=${name}`, `_UID=${uid}`],
        manager: [`USER_UNIT=${name}`, `_UID=${uid}`],
        managerInvocation: 'USER_INVOCATION_ID',
      };
}

/** What journalctl is to look for: fields side by side are "and", the same field twice is "or", "+" parts groups. */
export function logsMatches(unit: UnitOfLogs, narrowing: Narrowing): readonly string[] {
  const { own, manager, managerInvocation } = sidesOf(unit);
  const { invocation, session, message, priority } = narrowing;
  const levels =
    priority === null ? [] : Array.from({ length: priority + 1 }, (_, level) => `PRIORITY=${level}`);
  const ofOwn = [
    ...own,
    ...(invocation === null ? [] : [`_SYSTEMD_INVOCATION_ID=${invocation}`]),
    ...(session === null ? [] : [`SD_GATEWAY_SESSION=${session}`]),
    ...(message === null ? [] : [`SD_GATEWAY_MESSAGE=${message}`]),
    ...levels,
  ];
  // The manager knows nothing of sessions and messages.
  if (session !== null || message !== null) return ofOwn;
  const ofManager = [
    ...manager,
    ...(invocation === null ? [] : [`${managerInvocation}=${invocation}`]),
    ...levels,
  ];
  return [...ofOwn, '+', ...ofManager];
}

/** One or two records of each start, by which the invocations are told without reading all that they wrote. */
export function startMatches(unit: UnitOfLogs): readonly string[] {
  return [...sidesOf(unit).manager, ...startMessages.map((id) => `MESSAGE_ID=${id}`)];
}
