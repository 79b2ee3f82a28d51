import {
  managerMessages,
  messageMatches,
  recordMatches,
  type UnitOfRecords,
} from '../manager/unit-records.js';

export interface Narrowing {
  /** 32 hexadecimal digits. */
  readonly invocation: string | null;
  readonly session: string | null;
  readonly message: string | null;
  /** 0 to 7. */
  readonly priority: number | null;
}

/** What journalctl is to look for: fields side by side are "and", the same field twice is "or", "+" parts groups. */
export function logsMatches(unit: UnitOfRecords, narrowing: Narrowing): readonly string[] {
  const { own, manager, managerInvocation } = recordMatches(unit);
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
export function startMatches(unit: UnitOfRecords): readonly string[] {
  const { starting, started } = managerMessages;
  return [...recordMatches(unit).manager, ...messageMatches([starting, started])];
}
